/** What commands say of a run while a process works on it, and once that was killed: the lock decides, not a name. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { folderOf, healthy } from '../doctor/scene.js'
import { bin, until } from '../support/cli.js'
import { isRootOnLinux } from '../support/conditions.js'
import { openDatabase } from '../support/contents.js'

const slot = '2026-11-23T10:00:00Z'

/** Gives a page, and no second one while HALT is set. */
const halting = `import { defineSource, z } from 'owm-producer'
  export default defineSource({ name: 'halting', description: 'd', options: z.strictObject({}), open: () => ({
    async *read() {
      yield { locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4 }], resume: '1', position: String }
      if (process.env.HALT) await new Promise((resolve) => setTimeout(resolve, 60_000))
    },
  }) })`

const folder = (): Promise<string> =>
  folderOf({ ...healthy, source: { use: './halting.mjs' } }, { 'halting.mjs': halting })

/** Programs before owm on its command line: none, or those that give it a container's view of processes and locks. */
const here: readonly string[] = []
const inContainer = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']

function start(before: readonly string[], args: readonly string[], cwd: string, env: Record<string, string> = {}) {
  const [program = '', ...rest] = [...before, process.execPath, bin, ...args]
  return promisify(execFile)(program, rest, { cwd, env: { PATH: process.env['PATH'], ...env }, timeout: 50_000 })
}

/** A run that has stored its first page and is still reading. */
async function reading(cwd: string, before = here): Promise<{ kill(): Promise<void> }> {
  const producing = start(before, ['produce', '--slot', slot], cwd, { HALT: '1' })
  const { child } = producing
  producing.catch(() => undefined)
  const ended = once(child, 'exit')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  await until(async () => (await start(here, ['runs'], cwd)).stdout.includes('reading'))
  return { kill }
}

/** What the commands say of the only run. */
async function told(cwd: string, before = here): Promise<object> {
  const stdout = async (...args: string[]): Promise<string> =>
    (await start(before, args, cwd).catch((error: { stdout: string }) => error)).stdout
  const json = async (...args: string[]) => JSON.parse(await stdout(...args, '--json'))
  const lock = (await json('doctor')).checks.find(({ code }: { code: string }) => code === 'outbox-lock')
  return {
    verify: (await json('verify')).slots[0].state,
    runs: /reading|interrupted/.exec(await stdout('runs'))?.[0],
    inspect: (await json('outbox', 'inspect')).runs[0].isBeingRead,
    why: (await json('why', 'Bern', '--no-source')).runs[0].state,
    doctor: lock.found.replace(/,.*/, ''),
  }
}

const atWork = {
  verify: 'under way',
  runs: 'reading',
  inspect: true,
  why: 'reading',
  doctor: 'held by owm produce',
}
const nobody = {
  verify: 'different',
  runs: 'interrupted',
  inspect: false,
  why: 'interrupted',
  doctor: 'nobody holds it',
}

it.each([
  ['itself', {}],
  ['another host: a pod that is gone', { host: 'owm-29345678-abcde' }],
  ['this host, and a process id that another one has now', { host: hostname(), pid: process.pid }],
])('its name is that of %s', async (_, name) => {
  const cwd = await folder()
  const run = await reading(cwd)
  const database = await openDatabase(join(cwd, 'outbox.db'))
  const [state] = await database<{ holder: string }>('SELECT holder FROM state')
  const holder = JSON.stringify({ ...JSON.parse(state?.holder ?? ''), ...name })
  await database(`UPDATE state SET holder = '${holder}'`)
  await database.close()
  expect(await told(cwd)).toEqual(atWork)
  await run.kill()
  expect(await told(cwd)).toEqual(nobody)
})

it.runIf(isRootOnLinux)('it works in a container, and is looked at from outside and from another one', async () => {
  const cwd = await folder()
  const run = await reading(cwd, inContainer)
  for (const from of [here, inContainer]) expect(await told(cwd, from)).toEqual(atWork)
  await run.kill()
  for (const from of [here, inContainer]) expect(await told(cwd, from)).toEqual(nobody)
})
