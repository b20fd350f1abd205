/**
 * How many tasks coming slots have. Locations are counted by rhythm once; for each slot, the phases in its interval are
 * then looked up. So for a million locations, a month of slots costs no more than one slot.
 */
import { sumOf } from '../lists.js'
import { durationText } from './duration.js'
import type { Timetable } from './timetable.js'
import type { Rhythm, Span } from './windows.js'

/** What locations without a cadence are counted under. */
export const eachRun = 'each run'

/** Tasks by how often their locations are due: `each run`, or a period such as `6h`, the shortest first. */
export type Load = Readonly<Record<string, number>>

/** Counts locations by rhythm. */
export class Rhythms {
  #always = 0
  /** Period in milliseconds -> locations by phase. */
  readonly #periods = new Map<number, Phases>()

  /** @param rhythm undefined if the location is due in every run */
  add(rhythm: Rhythm | undefined): void {
    if (!rhythm) {
      this.#always++
      return
    }
    const { every, phase } = rhythm
    let phases = this.#periods.get(every)
    if (!phases) {
      phases = new Phases()
      this.#periods.set(every, phases)
    }
    phases.add(phase)
  }

  /** Locations whose period is shorter than a gap between scheduled times, by that period. */
  shorterThan(gap: number): Load {
    const short = [...this.#periods].filter(([every]) => every < gap).sort(([a], [b]) => a - b)
    return Object.fromEntries(short.map(([every, phases]) => [durationText(every), phases.locations]))
  }

  /** Returns a function that gives the load of a run with this interval. */
  counter(): (span: Span) => Load {
    const counters = [...this.#periods]
      .sort(([a], [b]) => a - b)
      .map(([every, phases]) => [durationText(every), dueAmong(every, phases)] as const)
    const always: Load = this.#always > 0 ? { [eachRun]: this.#always } : {}
    return (span) => ({ ...always, ...Object.fromEntries(counters.map(([name, dueIn]) => [name, dueIn(span)])) })
  }
}

/** Phases are whole seconds. */
const secondsPerBlock = 1024

/** Counts locations by phase, in blocks of counters: a map with a key for each phase is slow to fill. */
class Phases {
  locations = 0
  readonly #blocks = new Map<number, Uint32Array>()

  /** @param phase milliseconds */
  add(phase: number): void {
    const second = phase / 1_000
    const at = Math.floor(second / secondsPerBlock)
    let counters = this.#blocks.get(at)
    if (!counters) {
      counters = new Uint32Array(secondsPerBlock)
      this.#blocks.set(at, counters)
    }
    const index = second % secondsPerBlock
    counters[index] = (counters[index] ?? 0) + 1
    this.locations++
  }

  /** The phases that occur, ascending, each with its number of locations. */
  *[Symbol.iterator](): Generator<[phase: number, locations: number]> {
    const blocks = [...this.#blocks].sort(([a], [b]) => a - b)
    for (const [at, counters] of blocks)
      for (const [index, locations] of counters.entries())
        if (locations > 0) yield [(at * secondsPerBlock + index) * 1_000, locations]
  }
}

/** Returns a function that counts the locations with a window that begins in a span: see `newestWindow`. */
function dueAmong(every: number, phases: Phases): (span: Span) => number {
  const all = phases.locations
  const starts: number[] = []
  const sums = [0]
  for (const [phase, locations] of phases) {
    starts.push(phase)
    sums.push((sums.at(-1) ?? 0) + locations)
  }
  /** Locations whose phase is at most this one. */
  const upTo = (phase: number): number => sums[countUpTo(starts, phase)] ?? 0
  return ({ from, to }) => {
    if (to <= from) return 0
    if (to - from >= every) return all
    const [before, last] = [upTo(from % every), upTo(to % every)]
    // The span may cross the beginning of a period.
    return from % every < to % every ? last - before : all - before + last
  }
}

/** How many of the numbers are at most `bound`. */
function countUpTo(ascending: readonly number[], bound: number): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) <= bound) low = middle + 1
    else high = middle
  }
  return low
}

export const tasksIn = (load: Load): number => sumOf(Object.values(load), (tasks) => tasks)

/** Adds loads up, name by name. */
function sumOfLoads(loads: readonly Load[]): Load {
  const sum: Record<string, number> = {}
  for (const load of loads) for (const [name, tasks] of Object.entries(load)) sum[name] = (sum[name] ?? 0) + tasks
  return sum
}

/** A scheduled time and its load. In milliseconds since 1970; its interval is (from, slot]. */
export interface Coming {
  readonly from: number
  readonly slot: number
  /** Workers have until then; undefined if no later time is scheduled. */
  readonly next: number | undefined
  readonly load: Load
}

/** The 24 hours (from, to]. */
export interface Day {
  readonly from: number
  readonly to: number
  readonly load: Load
}

export const dayMs = 86_400_000

/** The scheduled times in (now, to]. */
export function coming(rhythms: Rhythms, timetable: Timetable, now: number, to: number): Coming[] {
  const loadOf = rhythms.counter()
  const slots = [...timetable.between(now, to)]
  const last = slots.at(-1)
  const before = timetable.at(now)
  const after = last === undefined ? undefined : timetable.after(last)
  return slots.map((slot, index) => {
    const from = slots[index - 1] ?? before ?? slot
    return { slot, from, next: slots[index + 1] ?? after, load: loadOf({ from, to: slot }) }
  })
}

/** The whole days of a plan that begins at `now`. */
export function daysOf(slots: readonly Coming[], now: number, to: number): Day[] {
  return Array.from({ length: Math.floor((to - now) / dayMs) }, (_, index) => {
    const day = { from: now + index * dayMs, to: now + (index + 1) * dayMs }
    const own = slots.filter(({ slot }) => slot > day.from && slot <= day.to)
    return { ...day, load: sumOfLoads(own.map(({ load }) => load)) }
  })
}
