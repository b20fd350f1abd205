/** Summaries and warnings of a start that has much to tell: all of it is counted, a part is listed. */
import { expect, it } from 'vitest'
import { folderWith, owm } from '../support/cli.js'
import { base, here, list } from './scene.js'

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
