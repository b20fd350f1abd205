/** Whole lives: generated from a seed, lived through, and judged. */
import fc from 'fast-check'
import { expect, onTestFinished } from 'vitest'
import type { Cadence } from '../../../src/pipeline/input/cadence.js'
import { calmly, type Happening, happenings } from './history.js'
import { Life } from './life.js'
import type { Server } from './scene.js'
import { hour, type Schedule } from './times.js'

export interface Lived {
  readonly starts: number
  /** Slots that were served. */
  readonly slots: number
}

/**
 * Locations with rhythms of their own. No clock is wrong: after a wrong one, a lost outbox may repeat a window of the
 * time before (docs/reliability.md, known limits).
 */
export const withCadences = {
  cadence: { field: 'every', rules: [], spread: true },
  without: { skew: 0 },
} as const satisfies Partial<Plan>

export interface Plan {
  readonly seed: number
  readonly days: number
  /** The greater, the less happens. */
  readonly calm: number
  readonly begin: number
  readonly schedule: Schedule
  /** Of locations with a rhythm of their own; without it all are due in each run. */
  readonly cadence?: Cadence
  /** What never happens. */
  readonly without?: Partial<Happening>
  readonly server?: Server & { look(life: Life): Promise<void> }
}

/** Fails with everything that was wrong, and the last events. */
export async function live({ seed, days, calm, begin, schedule, without = {}, ...by }: Plan): Promise<Lived> {
  const made = fc.sample(happenings(calm), { seed, numRuns: days * 24 })
  const life = await Life.begin(begin, schedule, by)
  onTestFinished(() => life.close())
  // At the beginning what a start covers is certain to be seen: three in a row that read nothing.
  const first = [calmly, { ...calmly, sourceIsDownFor: 3 }, calmly, calmly, calmly]
  const history = [...first, ...made.map((happening) => ({ ...happening, ...without }))]
  await life.live(history, begin + days * 24 * hour)
  const complaints = await life.end(() => by.server?.look(life) ?? Promise.resolve())
  expect(complaints, [`seed ${seed}`, ...life.log].join('\n')).toEqual([])
  return { starts: life.starts, slots: life.stream.slots.size }
}
