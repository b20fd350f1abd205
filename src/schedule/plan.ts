/**
 * What coming slots bring. Locations are counted by their rhythm once; a slot then asks how many phases lie in its
 * interval, so that a million locations cost no more for a month of slots than for one.
 */
import { sumOf } from '../lists.js'
import { durationText } from './duration.js'
import type { Timetable } from './timetable.js'
import type { Rhythm, Span } from './windows.js'

/** Locations without a cadence. */
export const eachRun = 'each run'

/** Tasks by how often their locations are due: `each run`, or a period such as `6h`, the shortest first. */
export type Load = Readonly<Record<string, number>>

/** How many locations have which rhythm. */
export class Rhythms {
  #always = 0
  /** Period in milliseconds -> locations by phase. */
  readonly #periods = new Map<number, Phases>()

  /** @param rhythm undefined where the location is due in every run */
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
    const short = [...this.#periods].filter(([every]) => every < gap).sort(([one], [other]) => one - other)
    return Object.fromEntries(short.map(([every, phases]) => [durationText(every), phases.locations]))
  }

  /** Makes the function that says what a run brings whose interval is this span. */
  counter(): (span: Span) => Load {
    const counters = [...this.#periods]
      .sort(([one], [other]) => one - other)
      .map(([every, phases]) => [durationText(every), dueAmong(every, phases)] as const)
    const always: Load = this.#always > 0 ? { [eachRun]: this.#always } : {}
    return (span) => ({ ...always, ...Object.fromEntries(counters.map(([name, dueIn]) => [name, dueIn(span)])) })
  }
}

/** In whole seconds, as phases are. */
const block = 1024

/** How many locations have which phase: in blocks of counters, since a map with a key for each fills slowly. */
class Phases {
  locations = 0
  readonly #blocks = new Map<number, Uint32Array>()

  /** @param phase milliseconds */
  add(phase: number): void {
    const second = phase / 1_000
    const at = Math.floor(second / block)
    let counters = this.#blocks.get(at)
    if (!counters) {
      counters = new Uint32Array(block)
      this.#blocks.set(at, counters)
    }
    counters[second % block] = (counters[second % block] ?? 0) + 1
    this.locations++
  }

  /** Phases that a location has, ascending, and how many have each. */
  *[Symbol.iterator](): Generator<[phase: number, locations: number]> {
    const blocks = [...this.#blocks].sort(([one], [other]) => one - other)
    for (const [at, counters] of blocks)
      for (const [index, locations] of counters.entries())
        if (locations > 0) yield [(at * block + index) * 1_000, locations]
  }
}

/** How many of the locations with one period have a window that begins in a span: see `newestWindow`. */
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
    const [behind, last] = [upTo(from % every), upTo(to % every)]
    // The span may hold the beginning of a period.
    return from % every < to % every ? last - behind : all - behind + last
  }
}

/** How many of some ascending numbers are at most this one. */
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

/** The sum of several loads, under the names of all. */
function together(loads: readonly Load[]): Load {
  const sum: Record<string, number> = {}
  for (const load of loads) for (const [name, tasks] of Object.entries(load)) sum[name] = (sum[name] ?? 0) + tasks
  return sum
}

/** A scheduled time, and what it brings. Milliseconds since 1970; its interval is (from, slot]. */
export interface Coming {
  readonly from: number
  readonly slot: number
  /** Workers have until then; undefined where no time is scheduled behind it. */
  readonly next: number | undefined
  readonly load: Load
}

/** 24 hours, (from, to]. */
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
    return { ...day, load: together(own.map(({ load }) => load)) }
  })
}
