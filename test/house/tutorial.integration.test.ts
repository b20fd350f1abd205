/** docs/tutorial.md, done word by word: its files are written, its commands run, what they print is compared. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'
import { blocksOf, commandsOf, folderWithOwm, printsWhatItShows } from '../support/pages.js'

const run = promisify(execFile)
const blocks = blocksOf(await readFile(join(root, 'docs', 'tutorial.md'), 'utf8'))

it('every file and every command of it', async () => {
  const path = await folderWithOwm()
  // The owm that is installed on "this machine" is this clone.
  const prefix = await temporaryFolder()
  await mkdir(join(prefix, 'lib', 'node_modules'), { recursive: true })
  await symlink(root, join(prefix, 'lib', 'node_modules', 'owm-producer'))
  const npm = { npm_config_prefix: prefix, npm_config_offline: 'true', npm_config_audit: 'false' }

  let cwd = await temporaryFolder()
  const done = { files: 0, silent: 0, printing: 0 }
  for (const block of blocks) {
    const { file, language, text } = block
    if (file !== undefined) {
      await writeFile(join(cwd, file), text)
      done.files++
    }
    for (const one of [...commandsOf(block), ...(language === 'sh' ? text.trim().split('\n') : [])]) {
      const [, folder] = /^cd (\S+)\s*$/.exec(one) ?? []
      if (folder !== undefined) cwd = join(cwd, folder)
      else if (language === 'console') {
        await printsWhatItShows(one, cwd, path, npm)
        done.printing++
      } else {
        const { PATH = '', HOME = '' } = process.env
        await run('bash', ['-c', one], { cwd, env: { ...npm, HOME, PATH: [path, PATH].join(delimiter) } })
        done.silent++
      }
    }
  }
  expect(done).toEqual({ files: 3, silent: 3, printing: 8 })

  const tasks = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')
  const cities = ['Longyearbyen', 'Tromsø']
  expect(tasks.map((task): unknown => JSON.parse(task).city)).toEqual([...cities, ...cities])
})

it('is valid TypeScript, strictly, and so are the templates', async () => {
  const project = await temporaryFolder()
  await mkdir(join(project, 'node_modules'))
  await symlink(root, join(project, 'node_modules', 'owm-producer'))
  await symlink(join(root, 'node_modules', '@types'), join(project, 'node_modules', '@types'))
  await writeFile(join(project, 'package.json'), '{"type": "module"}')
  const templates = ['source', 'sink'].flatMap((kind) =>
    ['index.js', 'index.test.js'].map(async (name) => ({
      name: join(kind, name),
      text: await readFile(join(root, 'templates', kind, name), 'utf8'),
    })),
  )
  const mine = blocks.flatMap(({ file, text }) =>
    file?.endsWith('.js') ? [{ name: join('tutorial', file), text }] : [],
  )
  const paths: string[] = []
  for (const { name, text } of [...mine, ...(await Promise.all(templates))]) {
    const path = join(project, name.replace(/js$/, 'ts'))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    paths.push(path)
  }
  const config = ts.readConfigFile(join(root, 'templates', 'typescript', 'tsconfig.json'), ts.sys.readFile).config
  const options = { ...config.compilerOptions, rootDir: project, outDir: undefined, noEmit: true }
  const { options: parsed, errors } = ts.convertCompilerOptionsFromJson(options, project)
  // The last one is there to see that the compiler looks at all.
  const wrong = join(project, 'wrong.ts')
  await writeFile(wrong, 'export const wrong: number = "text"\n')
  const found = ts.getPreEmitDiagnostics(ts.createProgram([...paths, wrong], parsed))
  const texts = found.map((one) => `${one.file?.fileName}: ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`)
  expect([errors, texts]).toEqual([[], [`${wrong}: Type 'string' is not assignable to type 'number'.`]])
  expect(paths).toHaveLength(6)
})
