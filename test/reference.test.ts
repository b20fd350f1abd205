/**
 * The outbox and its relay against a small reference model: fast-check makes
 * up a history of commands (produce, flush, crash, restore, …), the real
 * produce() and flush() live through it on a real file, and after each command
 * the file (by our own SQL) and the sink's ledger must agree with the model.
 *
 * A failure prints its seed: OWM_TEST_SEED=… runs the same histories again,
 * OWM_TEST_REFERENCE_RUNS=… more of them. Time is injected. How reader and relay
 * take turns inside one produce() is the event loop's, so a failure that needs
 * one turn out of many may want a few replays.
 *
 * A crash is a copy of the file and its write-ahead log, taken inside of an
 * `owm:step` message, while the rest of the process is cut off from the sink,
 * aborted and thrown away. That is what SIGKILL leaves: the operating system
 * keeps every byte that was written and nothing of what memory held, SQLite
 * rebuilds `-shm` by itself, and a lock isn't a byte. (Nothing moves pages from
 * the log to the file while a step is published: these outboxes are far below
 * SQLite's 1,000 pages, so a copy can't be torn.) A request that was under way may
 * be lost, arrive, or arrive after the next process' first one has been sent.
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { freshModel } from './reference/claims.js'
import {
  type Command,
  changing,
  copying,
  deleting,
  flushing,
  losing,
  type Producing,
  poisoning,
  producing,
  purging,
  reopening,
  restoring,
  retrying,
} from './reference/commands.js'
import { commands } from './reference/histories.js'
import type { Kind } from './reference/server.js'
import { System } from './reference/system.js'
import { isLong } from './support/conditions.js'

// What decides over a change takes the same way each time; the long form looks for new ones.
const seed = Number(process.env['OWM_TEST_SEED'] ?? (isLong ? Math.floor(Math.random() * 2 ** 31) : 20_261_123))
const runs = Number(process.env['OWM_TEST_REFERENCE_RUNS'] ?? 40)
/** The default stops in time on a busy machine, wherever it is; a number of runs that was asked for is kept. */
const within = (milliseconds: number) =>
  process.env['OWM_TEST_REFERENCE_RUNS'] === undefined ? { interruptAfterTimeLimit: milliseconds } : {}

async function live(kind: Kind, maxInFlight: number, history: Iterable<Command>): Promise<void> {
  vi.setSystemTime(Date.UTC(2026, 10, 23, 10))
  const real = await System.start(kind, maxInFlight)
  try {
    await fc.asyncModelRun(() => ({ model: freshModel(), real }), history)
  } finally {
    await real.stop()
  }
}

const histories = (kind: Kind) =>
  fc.asyncProperty(commands, fc.integer({ min: 1, max: 3 }), (history, maxInFlight) => live(kind, maxInFlight, history))

const plainly = { faults: [], crash: undefined }
const produced = (slot: number, unlike: Partial<Producing> = {}): Command =>
  producing({ slot, deliver: true, keepTasks: 1_000_000, pageSize: 10, sourceFault: undefined, ...plainly, ...unlike })
const flushed = (): Command => flushing({ limit: undefined, ...plainly })

describe('outbox and relay against the reference', () => {
  // Only what tells the time: the file's threads and the waits between turns are real.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it(`a fenced sink gets every task exactly once (OWM_TEST_SEED=${seed})`, { timeout: 3_600_000 }, async () => {
    await fc.assert(histories('chain'), { seed, numRuns: runs, ...within(25_000) })
  })

  it(`so does one that knows a position alone (OWM_TEST_SEED=${seed})`, { timeout: 3_600_000 }, async () => {
    await fc.assert(histories('position'), { seed, numRuns: Math.ceil(runs / 3), ...within(10_000) })
  })

  it(`an unfenced sink gets every task at least once (OWM_TEST_SEED=${seed})`, { timeout: 3_600_000 }, async () => {
    await fc.assert(histories('none'), { seed, numRuns: Math.ceil(runs / 3), ...within(10_000) })
  })

  // What the model found once, in its own words.
  it.each<[string, Command[]]>([
    [
      'the history of a slot that is read again is kept until it is read',
      [
        produced(3),
        produced(3, { crash: { at: 'run:started', nth: 1, inFlight: 'lost', requests: 1 } }),
        produced(2, { keepTasks: 0 }),
        produced(2),
      ],
    ],
    [
      'a refused task at the end is not taken for a lost one',
      [
        poisoning([1], true),
        produced(0),
        retrying(),
        flushed(),
        poisoning([], false),
        produced(2, { deliver: false }),
        flushed(),
        retrying(),
        flushed(),
      ],
    ],
    [
      'a refused task that was retried is not delivered under its old number when the sink loses both',
      [poisoning([4], false), produced(0), poisoning([], false), retrying(), flushed(), losing(2), produced(1)],
    ],
    [
      'a lost task that is refused when it comes again, and given up, counts as neither delivered nor dead',
      [produced(0), losing(1), poisoning([1, 2, 3, 4, 5, 6], false), produced(1), purging(true)],
    ],
    [
      'an old copy with nothing pending is compared with a sink that lost what it took',
      [
        produced(0, { pageSize: 1 }),
        copying(),
        losing(1),
        produced(1, { deliver: false }),
        flushing({ limit: 1, ...plainly }),
        restoring(),
        flushed(),
      ],
    ],
    [
      'a gap in the history does not stop the tasks behind it',
      [produced(0), produced(1), produced(0, { keepTasks: 0 }), losing(3), reopening(), produced(2), flushed()],
    ],
    [
      'a history that ends in a gap leaves nothing pending',
      [
        produced(0),
        produced(1),
        produced(0, { keepTasks: 0 }),
        losing(3),
        reopening(),
        produced(2, { deliver: false }),
        flushed(),
      ],
    ],
    [
      'a slot with retried tasks is forgotten as soon as one of its tasks is',
      [
        changing([1, 2, 3, 4, 5, 6], false),
        poisoning([4, 5, 6], false),
        produced(0),
        poisoning([], false),
        retrying(),
        flushed(),
        produced(1, { keepTasks: 5 }),
        produced(0),
      ],
    ],
    [
      'a sink that goes back to nothing, or loses its tasks alone, gets the history again',
      [produced(0), losing(0), produced(1), deleting(), flushed(), copying(), produced(2), restoring(), produced(3)],
    ],
  ])('%s', async (_, history) => {
    for (const kind of ['position', 'chain'] as const) await live(kind, 2, history)
  })

  it('the model notices a sink whose fence is off', { timeout: 600_000 }, async () => {
    const verdict = await fc.check(histories('off'), { seed, numRuns: 500, endOnFailure: true })
    expect(verdict.failed).toBe(true)
    expect(String(verdict.errorInstance)).toMatch(/times in a sink that is exactly-once|its receipt says \d+ tasks/)
  })
})
