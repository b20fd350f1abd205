/** A backfill, or a start that finishes an earlier slot, never succeeds if a slot was served only in part. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BackfillResult } from '../../src/commands/backfill.js'
import { owm, owmJson, root } from '../support/cli.js'
import { at, folderOf, produce } from '../support/scheduled.js'

const hour = (number: number): string => `2026-11-23T${String(number).padStart(2, '0')}:00:00Z`
const now = '2026-11-23T10:30:00Z'

type Answered = BackfillResult & { error?: { code: string; message: string } }
const backfill = (cwd: string, from: number, to: number, ...args: string[]) =>
  owmJson<Answered>(['backfill', '--from', hour(from), '--to', hour(to), ...args], at(cwd, now))

const refusing = { sink: { use: join(root, 'test', 'plugins', 'chain-sink.mjs'), file: 'chain.json' } }
const refusesOne = ['--set', 'sink.refuses="location_id":1,']

test('slots with dead letters are 75 each time that they are in the range, until those are given up', async () => {
  const cwd = await folderOf({}, refusing)
  expect(await backfill(cwd, 6, 7, ...refusesOne)).toMatchObject({ code: 75, json: { error: { code: 'REFUSED' } } })
  for (const args of [[], ['--dry-run']]) {
    const { code, json } = await backfill(cwd, 6, 7, ...args)
    expect({ code, json }).toMatchObject({ code: 75, json: { slots: [], alreadyServed: 2 } })
    expect(json.error?.message).toMatch(`2 tasks of the slots ${hour(6)}, ${hour(7)} are dead letters: the sink `)
  }
  // The others are served nevertheless.
  const more = await backfill(cwd, 7, 8)
  expect(more).toMatchObject({ code: 75, json: { slots: [hour(8)], alreadyServed: 1, sink: { delivered: 3 } } })
  expect(more.json.error?.message).toMatch(`1 task of the slot ${hour(7)} is a dead letter`)
  expect((await backfill(cwd, 8, 8)).code).toBe(0)
  expect((await owm(['outbox', 'purge', '--dead', '--yes'], { cwd })).code).toBe(0)
  expect((await backfill(cwd, 6, 8)).code).toBe(0)
})

test('with --strict so are those of which locations were rejected: 65', async () => {
  const cwd = await folderOf({}, { source: { use: 'static-list', file: 'l.csv' } })
  await writeFile(join(cwd, 'l.csv'), 'id,city,lat,lon\nA,A,1,1\nB,B,99,2\n')
  for (const slots of [[6, 7].map(hour), []])
    expect(await backfill(cwd, 6, 7, '--strict')).toMatchObject({
      code: 65,
      json: { slots, error: { code: 'INPUT_REJECTED', message: expect.stringMatching(/^2 locations of the source /) } },
    })
  expect((await backfill(cwd, 6, 7)).code).toBe(0)
})

test('a start that finishes the slot of one that was killed tells what the sink had refused of it: 75', async () => {
  const cwd = await folderOf({}, refusing)
  const first = at(cwd, '2026-11-23T05:00:10Z')
  const killed = await owm(['produce', ...refusesOne], {
    cwd,
    node: [...(first.node ?? []), '--import', join(root, 'test', 'support', 'crash.mjs')],
    env: { ...first.env, OWM_CRASH_AT: 'batch:acknowledged' },
  })
  expect(killed, killed.stderr).toMatchObject({ signal: 'SIGKILL' })
  const { code, json } = await produce(cwd, '2026-11-23T06:00:10Z')
  expect({ code, json }).toMatchObject({
    code: 75,
    json: {
      slot: hour(6),
      sink: { delivered: 5 },
      error: { message: expect.stringMatching(`1 task of the slot ${hour(5)} is a dead letter`) },
    },
  })
  expect((await produce(cwd, '2026-11-23T07:00:10Z')).code).toBe(0)
})
