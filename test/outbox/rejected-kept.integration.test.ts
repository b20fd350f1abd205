/** Rejected records don't fill the disk: only the newest are kept, and all are counted. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderWith, owm, owmJson } from '../support/cli.js'

interface Inspected {
  totals: { rejected: number; duplicates: number }
  tasks: { position: string }[]
  matching: { rejected: number }
}

const bad = Array.from({ length: 3_000 }, (_, index) => `bad ${index},91,${index % 90}`)
const same = Array.from({ length: 50 }, () => 'Bern,46.9,7.4')

it('outbox.keepRejected bounds what is stored in a run and over the runs; the counts are exact', async () => {
  const cwd = await folderWith({
    source: { use: 'static-list', file: './list.csv' },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './o.db', keepRejected: 100 },
  })
  await writeFile(join(cwd, 'list.csv'), ['city,latitude,longitude', ...same, ...bad].join('\n'))
  const inspect = async () =>
    (await owmJson<Inspected>(['outbox', 'inspect', '--state', 'rejected', '--limit', '9999'], { cwd })).json

  for (const hour of [1, 2, 3]) {
    const slot = `2026-11-23T0${hour}:00:00Z`
    const { code, json } = await owmJson<{ source: object }>(['produce', '--slot', slot], { cwd })
    expect(code).toBe(0)
    expect(json.source).toMatchObject({ read: 3_050, rejected: 3_000, duplicates: 49 })
    const { totals, tasks, matching } = await inspect()
    expect(totals).toMatchObject({ rejected: hour * 3_000, duplicates: hour * 49 })
    expect({ shown: tasks.length, matching }).toMatchObject({ shown: 100, matching: { rejected: 100 } })
  }
  const { stdout } = await owm(['outbox', 'inspect', '--state', 'rejected'], { cwd })
  expect(stdout).toMatch(/9,000 rejected, 147 duplicates/)
  expect(stdout).toMatch(/^9,047 more were only counted: outbox\.keepRejected/m)
})

it('none are kept with 0', async () => {
  const cwd = await folderWith({
    source: {
      use: 'static-list',
      locations: [
        { city: 'A', latitude: 1, longitude: 2 },
        { city: 'B', latitude: 91 },
      ],
    },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './o.db', keepRejected: 0 },
  })
  const { stderr, code } = await owm(['produce'], { cwd })
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^owm: warning: 1 location was rejected: .*\n$/),
  })
  expect((await owmJson<Inspected>(['outbox', 'inspect'], { cwd })).json.totals.rejected).toBe(1)
})
