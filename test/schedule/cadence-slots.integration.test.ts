/**
 * Cadences: over any sequence of served, covered, missed and backfilled slots no window goes out twice, and each is
 * delivered or skipped, once. The ledger is a real one, on disk.
 */
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outbox, RunRow } from '../../src/outbox/outbox.js'
import { type Cadence, dueIn, rhythms } from '../../src/pipeline/input/cadence.js'
import { plainSettings } from '../../src/pipeline/slots/agenda.js'
import { newestWindow } from '../../src/schedule/windows.js'
import { Rejection } from '../../src/tasks/rejection.js'
import { slotOf } from '../../src/tasks/slot.js'
import { temporaryFolder } from '../support/cli.js'
import { locationOf, placed } from '../support/locations.js'
import { openOutbox } from '../support/open-outbox.js'

const hourMs = 3_600_000
const start = Date.parse('2026-11-20T00:00:00Z')

const cadences: readonly Cadence[] = [
  { default: '6h', field: 'every', rules: [], spread: true },
  { default: '1h', field: 'every', rules: [{ where: { fields: { id: ['2', '3'] } }, every: '30m' }], spread: false },
  { field: 'every', rules: [{ where: { fields: { id: ['1'] } }, every: '5h' }], spread: true },
]

const locations = [locationOf(1), locationOf(2), locationOf(3, '2h'), locationOf(4, '1d'), locationOf(5, '90m')]

/** An event: how many hours later, and what happens. */
const events = fc.array(
  fc.record({
    hours: fc.integer({ min: 0, max: 4 }),
    kind: fc.constantFrom('serve', 'serve', 'serve', 'miss', 'open', 'backfill'),
    back: fc.integer({ min: 1, max: 8 }),
    cadence: fc.constantFrom(...cadences.keys()),
  }),
  { minLength: 4, maxLength: 14 },
)

test('no window goes out twice, and each is delivered or skipped', async () => {
  const folder = await temporaryFolder()
  let number = 0
  await fc.assert(
    fc.asyncProperty(events, async (happened) => {
      const outbox = await opened(join(folder, `${++number}.db`))
      try {
        await tryOut(outbox, happened)
      } finally {
        await outbox.close()
      }
    }),
    { numRuns: 40 },
  )
})

test('a slot with milliseconds is after that of its second, whatever their texts say', async () => {
  const outbox = await opened(join(await temporaryFolder(), 'o.db'))
  const given = { source: 's', sourceDigest: 'd', namespace: '', cadence: '{"rules":[]}', from: start - hourMs }
  const begin = async (slot: string) => (await outbox.ledger.start({ ...given, slot, slotGiven: true })).run
  try {
    const covering = await begin('2026-11-20T01:00:00Z')
    await outbox.ledger.endReading(covering) // from here on it keeps its interval
    await begin('2026-11-20T00:00:00.500Z')
    const earlier = await begin('2026-11-20T00:00:00Z')
    // The other run has served all of the time before it.
    expect(earlier.windowsFrom).toBe(start)
    const later = await begin('2026-11-20T00:00:01Z')
    expect(later.windowsFrom).toBe(start + 500)
  } finally {
    await outbox.close()
  }
})

test.each(['oldest', 'newest'])(
  'the run behind several that were missed, %s first, gets the intervals of all',
  async (first) => {
    const outbox = await opened(join(await temporaryFolder(), 'o.db'))
    const { ledger } = outbox
    const startAt = (...hours: number[]) => {
      const rows = hours.map((hour) => ({ slot: slotOf(start + hour * hourMs), from: start + (hour - 1) * hourMs }))
      return ledger.startDue({ source: 's', sourceDigest: 'd', ...plainSettings }, () => ({
        runs: rows,
        covers: false,
        gaps: [],
      }))
    }
    try {
      await startAt(1)
      for (const run of await ledger.open()) await ledger.endReading(run)
      await startAt(2, 3, 4)
      const open = (await ledger.open()).filter(({ state }) => state === 'reading')
      expect(open).toHaveLength(3)
      for (const run of first === 'oldest' ? open : open.toReversed()) await ledger.miss(run)
      await startAt(5)
      const [next] = await ledger.ofSlot(slotOf(start + 5 * hourMs))
      expect(next?.intervalFrom).toBe(start + hourMs)
      expect((await ledger.ofSlot(slotOf(start + 3 * hourMs))).map(({ intervalFrom }) => intervalFrom)).toEqual([null])
    } finally {
      await outbox.close()
    }
  },
)

type Event = { hours: number; kind: string; back: number; cadence: number }

async function tryOut(outbox: Outbox, happened: readonly Event[]): Promise<void> {
  const seen: Seen = { delivered: new Map(), owed: new Set(), skipped: 0 }
  let now = start
  const { ledger } = outbox
  const by = { source: 's', sourceDigest: 'd', namespace: '' }
  for (const { hours, kind, back, cadence } of happened) {
    now += hours * hourMs
    const slot = kind === 'backfill' ? now - back * hourMs : now
    const again = await ledger.ofSlot(slotOf(slot))
    if (slot < start || again.some(({ state }) => state === 'read' || state === 'reading')) continue
    const given = { ...by, cadence: JSON.stringify(cadences[cadence]) }
    const planned = { runs: [{ slot: slotOf(slot), from: slot - hourMs }], covers: kind === 'serve', gaps: [] }
    await ledger.startDue(given, () => planned)
    const run = (await ledger.ofSlot(slotOf(slot))).at(-1)
    if (!run || kind === 'open') continue
    if (kind === 'miss') {
      await ledger.miss(run)
      continue
    }
    for (const open of kind === 'serve' ? await ledger.open() : [run]) await read(outbox, open, seen)
  }
  for (const open of await ledger.open()) await read(outbox, open, seen)
  expect([...seen.delivered].filter(([, times]) => times > 1)).toEqual([])
  expect([...seen.owed].filter((window) => !seen.delivered.has(window))).toHaveLength(seen.skipped)
}

interface Seen {
  /** Location and window -> how often it was delivered. */
  readonly delivered: Map<string, number>
  /** All windows of the intervals that were read. */
  readonly owed: Set<string>
  /** As the runs count them. */
  skipped: number
}

async function read({ ledger }: Outbox, run: RunRow, seen: Seen): Promise<void> {
  const windows = await ledger.windowsOf(run)
  const cadence: Cadence = JSON.parse(run.cadence ?? '{}')
  const [dueOf, rhythmOf] = [dueIn(cadence, windows), rhythms(cadence)]
  for (const location of locations) {
    const rhythm = rhythmOf(location, placed(location))
    if (!rhythm || rhythm instanceof Rejection) continue
    const due = dueOf(location, placed(location))
    const name = (time: number): string => `${location['id']} ${slotOf(time)}`
    if (run.intervalFrom !== null)
      for (let span = { from: run.intervalFrom, to: Date.parse(run.slot) }; ; ) {
        const window = newestWindow(rhythm, span)
        if (!window) break
        seen.owed.add(name(window.start))
        span = { ...span, to: window.start - 1 }
      }
    if (due === 'not due' || due instanceof Rejection || due.window === undefined) continue
    const window = `${location['id']} ${due.window}`
    seen.delivered.set(window, (seen.delivered.get(window) ?? 0) + 1)
    if (windows.covering) seen.skipped--
    else if (run.intervalFrom !== null) seen.skipped += due.skipped
  }
  await ledger.endReading(run)
  await ledger.endChecking(run)
}

const opened = (path: string): Promise<Outbox> => openOutbox(path, { batchSize: 10, now: () => start })
