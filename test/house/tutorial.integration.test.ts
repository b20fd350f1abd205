/** The README's tutorial, done word by word: its files are written, its commands run, what they print is compared. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { expect, it } from 'vitest'
import { bin, root, temporaryFolder } from '../support/cli.js'

interface Block {
  /** What the line before it names, for a file. */
  file: string | undefined
  language: string
  text: string
}

function blocksOf(section: string): Block[] {
  return [...section.matchAll(/^(.*)\n\n?```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, before = '', language = '', text = '']) => ({
      file: /`([^`]+)`:$/.exec(before)?.[1],
      language,
      text,
    }),
  )
}

/** Standard output and standard error, as a terminal shows them. */
function shell(command: string, cwd: string, path: string): Promise<string> {
  return new Promise((resolve) => {
    const { PATH = '', HOME = '' } = process.env
    execFile('bash', ['-c', command], { cwd, env: { PATH: [path, PATH].join(delimiter), HOME } }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

/** `…` stands for anything in its line. */
const pattern = (expected: string): RegExp =>
  new RegExp(`^${expected.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*')}$`)

it('every file and every command of it', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const [, section = ''] = /^## Write your own source.*\n([\s\S]*?)^## /m.exec(readme) ?? []
  const blocks = blocksOf(section)
  const cwd = await temporaryFolder()
  const path = await temporaryFolder()
  await mkdir(path, { recursive: true })
  await symlink(bin, join(path, 'owm'))

  const files = blocks.filter(({ file }) => file !== undefined)
  for (const { file = '', text } of files) await writeFile(join(cwd, file), text)
  const commands = blocks
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
  expect({ files: files.length, commands: commands.length, blocks: blocks.length }).toEqual({
    files: 2,
    commands: 4,
    blocks: 3,
  })
  for (const one of commands) {
    const [command = '', ...expected] = one.split('\n')
    expect(await shell(command, cwd, path), command).toMatch(pattern(expected.join('\n')))
  }

  const tasks = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).trim().split('\n')
  expect(tasks.map((task): unknown => JSON.parse(task).city)).toEqual(['Longyearbyen', 'Tromsø'])
})
