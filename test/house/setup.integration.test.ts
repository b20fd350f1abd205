/** `npm test` on a machine without servers, where nobody may install any: it says what it leaves out, and CI fails. */
import { execFile } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
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

it('leaves out those files and no other', async () => {
  const list = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'list', '--filesOnly', '--json']
  const files = async (env: Record<string, string>): Promise<string[]> => {
    const { stdout } = await run(process.execPath, list, { cwd: root, env })
    const found: { file: string }[] = JSON.parse(stdout)
    return found.map(({ file }) => file.slice(root.length + 1)).sort()
  }
  const { stderr } = await setUp(await bare())
  const leftOut = [...stderr.matchAll(/not run: (\S+):/g)].map(([, file]) => file)
  const { PATH = '', HOME = '' } = process.env
  const all = await files({ PATH, HOME })
  expect(leftOut.length).toBeGreaterThan(10)
  expect(await files(await bare())).toEqual(all.filter((file) => !leftOut.includes(file)))
})
