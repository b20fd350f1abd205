/** Summaries and warnings of a start that has much to tell: all of it is counted, a part is listed. */
import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { folderWith, owm } from '../support/cli.js'
import { isLinux } from '../support/conditions.js'
import { base, here, list, startAndStopAt, untilStopped } from './scene.js'

it('rejected locations of many kinds: five reasons, and how many had others', async () => {
  const kinds = ['latitude', 'longitude', 'city', 'forecast_duration_hours', 'historical_duration_hours', 'id', 'state']
  const wrong = kinds.map((key) => ({ ...here, [key]: [key] }))
  const cwd = await folderWith({ ...base, source: list({ ...here, id: 1 }, ...wrong) })
  const { code, stderr } = await owm(['produce', '-q'], { cwd })
  expect({ code, lines: stderr.trim().split('\n').length }, stderr).toEqual({ code: 0, lines: 6 })
  expect(stderr).toContain(
    'owm: warning: 2 more were rejected for other reasons; `owm outbox inspect --state rejected`',
  )
})

it('a backfill of many slots lists the first twenty', async () => {
  const cwd = await folderWith({ ...base, source: list({ ...here, id: 1 }), schedule: { cron: '* * * * *' } })
  const { code, stdout, stderr } = await owm(
    ['backfill', '--from', '2026-11-23T00:00:00Z', '--to', '2026-11-23T00:29:00Z'],
    { cwd },
  )
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(
    /30 slots to serve, 30 tasks delivered.*00:19:00Z \(1 location, done\), and 10 more, which `owm runs` lists/,
  )
  expect(stdout).not.toContain('00:20:00Z')
})

it.runIf(isLinux)('--json of a disk that is full in mid-run says what was done by then', async () => {
  const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 20_000 }, flush: { batchSize: 50 } })
  const { child, ended } = startAndStopAt('batch:acknowledged:5', ['produce', '--json'], cwd)
  await untilStopped(child.pid)
  // The outbox can grow no more.
  const { size } = await stat(join(cwd, 'o.db-wal'))
  await promisify(execFile)('prlimit', ['--pid', `${child.pid}`, `--fsize=${size + 20_000}:`])
  child.kill('SIGCONT')
  const { code, stdout, stderr } = await ended
  expect(code, stdout + stderr).toBe(74)
  const told = JSON.parse(stdout)
  const [run] = told.served
  expect(told).toMatchObject({
    runId: run.runId,
    slot: run.slot,
    source: { read: run.read },
    error: { code: 'OUTBOX' },
  })
  expect(told.sink.delivered).toBeGreaterThanOrEqual(250)
  expect(told.source.read).toBeGreaterThan(told.sink.delivered)
  expect(told.outbox.pending).toBeGreaterThan(0)
  expect(told.durationMs).toBeGreaterThan(0)
})
