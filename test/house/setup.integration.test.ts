/**
 * `npm test` on a machine without servers, where nobody may install any: it says what it leaves out, and CI fails.
 * What takes long is left to commands of its own, and to one of them.
 */
import { execFile } from 'node:child_process'
import { readFile, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'

const run = promisify(execFile)

/** An environment in which nothing but Node can be found. */
async function bare(): Promise<Record<string, string>> {
  const PATH = await temporaryFolder()
  await symlink(process.execPath, join(PATH, 'node'))
  return { PATH, HOME: PATH }
}

const setUp = (env: Record<string, string>) =>
  run(process.execPath, [join(root, 'scripts', 'setup.mjs'), '--tests'], { env })

it('lists the test files that need a missing server, and says how to get it', async () => {
  const { stdout, stderr } = await setUp(await bare())
  expect(stdout).toBe('')
  expect(stderr).toContain('setup: not run: test/faults/crash-points.test.ts: there is no redis-server\n')
  expect(stderr).toMatch(/not run: test\/faults\/power-loss.test.ts: there is no redis-server, no strace\n/)
  expect(stderr).not.toContain('test/tasks/')
  expect(stderr).toMatch(/apt-get install redis-server .*brew install redis /)
})

it('fails where CI is set', async () => {
  const failed: unknown = await setUp({ ...(await bare()), CI: 'true' }).catch((error) => error)
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/where CI is set, all tests must run\.\n$/) })
})

/** What vitest would run: each file's path in the project, and the suite that it belongs to. */
async function listed(env: Record<string, string>): Promise<{ file: string; suite: string }[]> {
  const list = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'list', '--filesOnly', '--json']
  const { stdout } = await run(process.execPath, list, { cwd: root, env })
  const found: { file: string; projectName: string }[] = JSON.parse(stdout)
  return found.map(({ file, projectName }) => ({ file: relative(root, file), suite: projectName }))
}

const { PATH = '', HOME = '' } = process.env

it('leaves out those files and no other', async () => {
  const files = async (env: Record<string, string>): Promise<string[]> =>
    (await listed(env)).map(({ file }) => file).sort()
  const { stderr } = await setUp(await bare())
  const leftOut = [...stderr.matchAll(/not run: (\S+):/g)].map(([, file]) => file)
  const all = await files({ PATH, HOME })
  expect(leftOut.length).toBeGreaterThan(10)
  expect(await files(await bare())).toEqual(all.filter((file) => !leftOut.includes(file)))
})

it('every test file is in one suite, and what takes long in one that has a command of its own', async () => {
  const inTime = new Set((await listed({ PATH, HOME })).map(({ file }) => file))
  const all = await listed({ PATH, HOME, OWM_TEST_LONG: '1' })
  expect(all.map(({ file }) => file)).toEqual([...new Set(all.map(({ file }) => file))])

  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  )
  const isRunWhole = (suite: string): boolean => {
    const command = scripts[`test:${suite}`] ?? ''
    return command.includes('OWM_TEST_LONG=1') && command.endsWith(` --project ${suite}`)
  }
  const asksForIt = /^import \{[^}]*\bisLong\b|^import .*support\/fuzz\.js'/m
  const takesLong = async (file: string): Promise<boolean> =>
    !inTime.has(file) || asksForIt.test(await readFile(join(root, file), 'utf8'))
  const long = []
  for (const one of all) if (await takesLong(one.file)) long.push(one)
  expect(long.length).toBeGreaterThan(60)
  expect(long.filter(({ suite }) => !isRunWhole(suite))).toEqual([])
})
