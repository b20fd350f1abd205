import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { owm, root, temporaryFolder } from '../support/cli.js'

it('oclif.manifest.json is what the commands give', async () => {
  const copy = await temporaryFolder()
  for (const name of ['package.json', 'bin']) await cp(join(root, name), join(copy, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await mkdir(join(copy, 'dist'))
  await cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
  await promisify(execFile)(process.execPath, [join(root, 'node_modules', 'oclif', 'bin', 'run.js'), 'manifest'], {
    cwd: copy,
    env: { ...process.env, OCLIF_SKIP_UPDATE_CHECK: 'true' },
  })
  const [made, committed] = await Promise.all(
    [copy, root].map((folder) => readFile(join(folder, 'oclif.manifest.json'), 'utf8')),
  )
  expect(JSON.parse(committed ?? '')).toEqual(JSON.parse(made ?? ''))
})

interface Told {
  id: string
  hidden: boolean
  summary: string
  examples: string[]
  usage: string
  args: Record<string, { required?: boolean }>
  flags: Record<string, { hidden?: boolean; description: string; helpValue?: string }>
}

it('help texts have one style: a sentence for a command, a few words for a flag, some examples', async () => {
  const { commands }: { commands: Record<string, Told> } = JSON.parse(
    await readFile(join(root, 'oclif.manifest.json'), 'utf8'),
  )
  const shown = Object.values(commands).filter(({ hidden }) => !hidden)
  expect(shown.length).toBeGreaterThan(25)
  for (const { id, summary, examples, usage, args, flags } of shown) {
    expect(summary, id).toMatch(/^[A-Z].{10,68}[.?]$/)
    expect([1, 2, 3], `examples of ${id}`).toContain(examples.length)
    expect(usage, `usage of ${id}`).toMatch(/ \[FLAGS\]$/)
    expect(usage.split(' ').length, `arguments in the usage of ${id}`).toBeGreaterThanOrEqual(Object.keys(args).length)
    for (const [name, { hidden, description }] of Object.entries(flags))
      if (!hidden) expect(description, `${id} --${name}`).toMatch(/^(?![A-Z][a-z]).*[^.]$/)
  }
})

it("a command's own flags come first, on lines of 80 columns at most", async () => {
  const { stdout } = await owm(['produce', '--help'])
  expect(stdout).toMatch(/^USAGE\n {2}\$ owm produce \[FLAGS\]\n[\s\S]*^FLAGS$[\s\S]*--slot=TIME[\s\S]*^GLOBAL FLAGS$/m)
  expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
})
