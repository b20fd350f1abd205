/** What is started: the program that `npm run build` makes of `src`, and nothing more of it than a command needs. */
import { execFile } from 'node:child_process'
import { cp, readdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { owm, root, temporaryFolder } from '../support/cli.js'

const run = promisify(execFile)

/** The programs in a `dist`, by path. */
async function programsIn(dist: string): Promise<Record<string, string>> {
  const names = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith('.js')).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dist, name), 'utf8')] as const)),
  )
}

it('is what the tests run: `dist` is made of this `src`', async () => {
  const folder = await temporaryFolder()
  for (const part of ['src', 'package.json']) await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await run(process.execPath, [join(root, 'scripts', 'build.mjs'), folder])
  const [made, tested] = await Promise.all([join(folder, 'dist'), join(root, 'dist')].map(programsIn))
  expect(Object.keys(tested ?? {})).toEqual(Object.keys(made ?? {}))
  for (const [name, text] of Object.entries(made ?? {})) expect(tested?.[name] === text, name).toBe(true)
})

it.each([
  [['--version'], /^owm\/\d/],
  [['--help'], /\n {2}produce /],
])('%s loads neither the outbox nor a vendor of sources and sinks', async (args, said) => {
  const { code, stdout, stderr } = await owm(args, { env: { NODE_DEBUG: 'esm' } })
  expect(code).toBe(0)
  expect(stdout).toMatch(said)
  const ofVendors = /"node_modules\/(typeorm|ioredis|undici)\//
  const all = Object.values(await programsIn(join(root, 'dist')))
  expect(all.filter((text) => ofVendors.test(text)).length).toBeGreaterThanOrEqual(3)
  const loaded = [...stderr.matchAll(/file:\S+?\/dist\/([\w./-]+\.js)/g)].map(([, name = '']) => name)
  expect(loaded).toContain('cli/main.js')
  for (const name of new Set(loaded))
    expect(await readFile(join(root, 'dist', name), 'utf8'), name).not.toMatch(ofVendors)
})
