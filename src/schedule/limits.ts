/** What a plan's tasks take of the weather API: calls, money, and the limits that they exceed. */
import { amount } from './money.js'
import { type Coming, type Day, type Load, tasksIn } from './plan.js'

/** The API's limits and prices. */
export interface Terms {
  /** Calls that a worker makes for one task, 1 or more. */
  readonly callsPerTask: number
  readonly freeCallsPerDay: number
  /** For each further call. */
  readonly pricePerCall?: number | undefined
  readonly limitPerMinute?: number | undefined
  readonly limitPerDay?: number | undefined
}

/** Exact, with two decimals or more; undefined without a price. */
export function costOf(calls: number, { freeCallsPerDay, pricePerCall }: Terms, days = 1): string | undefined {
  if (pricePerCall === undefined) return undefined
  return amount(days * Math.max(0, calls - freeCallsPerDay), pricePerCall)
}

/** Calls per minute if workers spread a slot's calls until the next one; rounded up to a tenth. */
export function perMinute(calls: number, { slot, next }: Pick<Coming, 'slot' | 'next'>): number | undefined {
  return next === undefined ? undefined : Math.ceil((calls * 600_000) / (next - slot)) / 10
}

interface Broken {
  /** The first slot over the limit for a minute. */
  readonly minute: Coming | undefined
  /** The first day over the limit for a day. */
  readonly day: Day | undefined
}

export function broken(slots: readonly Coming[], days: readonly Day[], terms: Terms): Broken {
  const { callsPerTask, limitPerMinute = Infinity, limitPerDay = Infinity } = terms
  const calls = (load: Load): number => tasksIn(load) * callsPerTask
  return {
    minute: slots.find(
      ({ load, slot, next }) => next !== undefined && calls(load) * 60_000 > limitPerMinute * (next - slot),
    ),
    day: days.find(({ load }) => calls(load) > limitPerDay),
  }
}
