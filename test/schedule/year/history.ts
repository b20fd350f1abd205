/** Generates what happens: hour by hour, mostly what should, and sometimes everything else. */
import fc from 'fast-check'
import type { Crash } from './scene.js'
import { expressions, hour, minute, type Schedule, zones } from './times.js'

export interface Happening {
  /** Milliseconds that pass before it. */
  readonly passes: number
  /** Milliseconds after the grid of ten minutes; negative: before it. */
  readonly late: number
  /** By how many milliseconds this start's clock is wrong; positive: ahead. */
  readonly skew: number
  /** Another start: the minute after it, or at the same time, waiting for the outbox or not. */
  readonly second: 'none' | 'later' | 'at once' | 'at once, waiting'
  /** The slot, if it is named: the last scheduled time or the next one. */
  readonly named: 'none' | 'last' | 'next'
  /** For how many starts, from this one on, the sink or the source doesn't answer. */
  readonly sinkIsDownFor: number
  readonly sourceIsDownFor: number
  /** The page at which the source fails while it is down. */
  readonly page: number
  /** The number of the request to the sink whose answer is lost. */
  readonly answerLostAt: number | undefined
  /** Milliseconds that the source takes. */
  readonly takes: number
  readonly crash: Crash | undefined
  /** What happens to the outbox before the start. */
  readonly outbox: 'stays' | 'is lost' | 'is copied' | 'is restored'
  /** What changes in the configuration before the start. */
  readonly change: Partial<Schedule> | undefined
}

/** An hour in which nothing happens. */
export const calmly: Happening = {
  passes: hour,
  late: 0,
  skew: 0,
  second: 'none',
  named: 'none',
  sinkIsDownFor: 0,
  sourceIsDownFor: 0,
  page: 0,
  answerLostAt: undefined,
  takes: 0,
  crash: undefined,
  outbox: 'stays',
  change: undefined,
}

/** One in so many isn't the first. */
const mostly = <T>(usual: T, other: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T> =>
  fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })

const crash = fc.record<Crash>({
  at: fc.constantFrom<Crash['at']>(
    'run:started',
    'epoch:raised',
    'sink:compared',
    'sink:placed',
    'receipt:written',
    'intake:written',
    'intake:persisted',
    'reading:ended',
    'checking:ended',
    'batch:sent',
    'batch:answered',
    'batch:acknowledged',
    'relay:ended',
    'settled',
  ),
  nth: fc.integer({ min: 1, max: 3 }),
  isKill: fc.boolean(),
  arrives: fc.boolean(),
})

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  cron: mostly('0 * * * *', fc.constantFrom(...expressions), 2),
  timezone: fc.constantFrom(...zones),
  catchUp: fc.constantFrom('latest', 'all'),
  maxCatchUp: fc.constantFrom(24, 3, 1),
  maxAge: fc.constantFrom('24h', '6h', '7d'),
})

const seconds = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min, max }).map((value) => value * 1_000)
const hours = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max }).map((value) => value * hour)

/** @param calm the greater, the less happens: 1 or more */
export const happenings = (calm: number): fc.Arbitrary<Happening> =>
  fc.record<Happening>({
    passes: fc.oneof(
      { weight: 20 * calm, arbitrary: fc.constant(hour) },
      { weight: calm, arbitrary: fc.constant(10 * minute) },
      { weight: 2, arbitrary: hours(2, 5) },
      { weight: 1, arbitrary: hours(6, 40) },
    ),
    late: fc.oneof(
      { weight: 6, arbitrary: seconds(0, 20) },
      { weight: 1, arbitrary: seconds(-60, 0) },
      { weight: 1, arbitrary: seconds(60, 3_000) },
    ),
    skew: mostly(0, fc.oneof(seconds(-90, 90), seconds(-20_000, 20_000), hours(-60, 20)), 12 * calm),
    second: mostly('none', fc.constantFrom('later', 'at once', 'at once, waiting'), 6 * calm),
    named: mostly('none', fc.constantFrom('last', 'next'), 12 * calm),
    sinkIsDownFor: mostly(0, fc.integer({ min: 1, max: 8 }), 16 * calm),
    sourceIsDownFor: mostly(0, fc.integer({ min: 1, max: 8 }), 16 * calm),
    page: fc.integer({ min: 0, max: 2 }),
    answerLostAt: mostly(undefined, fc.integer({ min: 1, max: 8 }), 8 * calm),
    takes: mostly(0, fc.constantFrom(5 * minute, 70 * minute, 200 * minute), 12 * calm),
    crash: mostly(undefined, crash, 6 * calm),
    outbox: mostly('stays', fc.constantFrom('is lost', 'is copied', 'is restored'), 16 * calm),
    change: mostly(
      undefined,
      fc.oneof(
        schedules,
        schedules.map(({ cron }) => ({ cron })),
      ),
      20 * calm,
    ),
  })
