/** What `owm outbox inspect` shows of each run: its last error, how long it took, and whether it is being read. */
import { expect, it, onTestFinished } from 'vitest'
import { base, deadSink, startAndStopAt, untilStopped } from '../cli/scene.js'
import { folderWith, owm, owmJson } from '../support/cli.js'

interface Shown {
  runs: { state: string; lastError: string | null; isBeingRead: boolean | null }[]
}

const [ten, eleven] = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z']
const runsIn = async (cwd: string) => (await owmJson<Shown>(['outbox', 'inspect'], { cwd })).json.runs

async function shown(cwd: string, columns: string): Promise<string> {
  return (await owm(['outbox', 'inspect'], { cwd, env: { COLUMNS: columns } })).stdout
}

it('a run whose source failed, and the same once it is served', async () => {
  const cwd = await folderWith(base)
  const failing = ['--set', 'source.failureRate=1']
  expect((await owm(['produce', '--slot', ten, ...failing], { cwd })).code).toBe(75)
  expect(await runsIn(cwd)).toMatchObject([
    { state: 'reading', isBeingRead: false, lastError: expect.stringContaining('The simulated query') },
  ])
  for (const columns of ['80', '200'])
    expect(await shown(cwd, columns)).toMatch(/ failed .*[\s\S]*last error:\s+The source/)

  expect((await owm(['produce', '--slot', ten], { cwd })).code).toBe(0)
  expect(await runsIn(cwd)).toMatchObject([{ state: 'done', isBeingRead: null }])
  expect(await shown(cwd, '80')).toMatch(/: \d\S* s, \d\S* locations a second; last error:\s+The source/)
  expect(await shown(cwd, '200')).toMatch(/TIME +READ\/S +STARTED\n.* \d\S* s +\d/)
})

it('one whose tasks are not in the sink', async () => {
  const cwd = await folderWith({ ...base, sink: deadSink })
  expect((await owm(['produce', '--slot', ten], { cwd })).code).toBe(75)
  expect(await runsIn(cwd)).toMatchObject([{ state: 'read', lastError: expect.stringContaining('127.0.0.1:1') }])
  expect(await shown(cwd, '80')).toMatch(/last error: Redis at\s+127\.0\.0\.1:1[\s\S]*ECONNREFUSED/)
})

it('one that is being read, and the same when its process was killed', async () => {
  const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 2_000, pageSize: 100 } })
  const reader = startAndStopAt('intake:persisted', ['produce', '--slot', eleven], cwd)
  onTestFinished(() => void reader.child.kill('SIGKILL'))
  await untilStopped(reader.child.pid)
  expect(await runsIn(cwd)).toMatchObject([{ state: 'reading', isBeingRead: true }])
  expect(await shown(cwd, '80')).toMatch(/ reading /)
  reader.child.kill('SIGKILL')
  await reader.ended
  expect(await runsIn(cwd)).toMatchObject([{ state: 'reading', isBeingRead: false, lastError: null }])
  expect(await shown(cwd, '80')).toMatch(/ interrupted /)
})
