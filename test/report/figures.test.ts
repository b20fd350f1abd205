import { expect, test } from 'vitest'
import { lagOf } from '../../src/report/page/runs/figures.js'

const run = {
  runId: 'a',
  slot: '2026-11-23T10:00:00Z',
  state: 'done',
  shard: '',
  ...{ read: 5, rejected: 0, duplicates: 0, notDue: 0, skipped: 0, stored: 5 },
  ...{ delivered: 5, pending: 0, dead: 0, discarded: 0, lost: 0, lastError: '' },
  ...{ startedAt: '2026-11-23T10:00:01Z', readAt: null, finishedAt: '2026-11-23T10:00:30Z' },
}

test.each([
  ['all of it is delivered', {}, 30],
  ['no location was due', { stored: 0, delivered: 0 }, 30],
  ['some of it is dead', { delivered: 2, dead: 3 }, 30],
  ['all of it is dead', { delivered: 0, dead: 5 }, Number.NaN],
  ['it is not finished', { state: 'reading' }, Number.NaN],
])('the lag of a slot where %s', (_, more, seconds) => {
  expect(lagOf({ ...run, ...more })).toBe(seconds)
})
