/** Makes a report's data from the outbox's overview and the source's locations. Pure. */
import type { Overview } from '../outbox/inspect/report.js'
import { mapKey } from '../tasks/place.js'
import { plural } from '../words.js'
import type { ReportCovered, ReportData, ReportGap, ReportReason, ReportRun } from './data.js'
import { columnsOf, type MapPlace } from './places.js'

/** Locations that a page shows within two seconds. */
export const mostPlaces = 100_000
export const mostRuns = 1_000
/** The most distinct locations of a source to track. */
const mostCounted = 1_000_000

/** The most reasons in a report, and the most characters of an example. */
const mostReasons = 200
const lengthOfExample = 200

/** What the source gives now, each place once. */
export class Given {
  /** Undefined: beyond what a page shows. */
  readonly #places = new Map<string, MapPlace | undefined>()

  add(place: { latitude: number; longitude: number; city: string; state: string }): void {
    const { latitude, longitude, city, state: region } = place
    const waiting: MapPlace = { state: 'waiting', latitude, longitude, city, region, slot: '', reason: '' }
    const key = mapKey(waiting)
    if (this.isWhole && !this.#places.has(key))
      this.#places.set(key, this.#places.size < mostPlaces ? waiting : undefined)
  }

  /** Whether all of its locations were tracked. */
  get isWhole(): boolean {
    return this.#places.size < mostCounted
  }

  /** Those that are none of these, and how many more of them there are than a page shows. */
  without(known: readonly MapPlace[], others: ReadonlySet<string>): { places: MapPlace[]; more: number } {
    const keys = new Set(known.map(mapKey))
    const left = [...this.#places].flatMap(([key, place]) => (keys.has(key) || others.has(key) ? [] : [place]))
    const places = left.filter((place) => place !== undefined)
    return { places, more: left.length - places.length }
  }
}

type About = Pick<ReportData, 'version' | 'madeAt' | 'owner' | 'outbox' | 'plan' | 'source'> & {
  /** The sink's name. */
  sink: string
  /** Scheduled times behind one time, up to another; in milliseconds since 1970. */
  scheduled: (from: number, to: number) => Iterable<number>
}

/** @param overview undefined where there is no outbox yet */
export function dataOf({ sink, scheduled, ...about }: About, overview: Overview | undefined, given: Given): ReportData {
  const {
    places: known,
    others,
    isWhole,
  } = overview?.newest ?? { places: [], others: new Set<string>(), isWhole: true }
  const waiting = given.without(known, others)
  const all = [...known, ...waiting.places]
  const runs = overview?.runs ?? []
  return {
    ...about,
    sink: [sink, runs.find(({ sinks }) => sinks.length > 0)?.sinks.at(-1)].filter(Boolean).join(' '),
    totals: overview?.totals ?? { pending: 0, dead: 0, rejected: 0, duplicates: 0 },
    oldestPendingAt: overview?.oldestPendingAt ?? null,
    circuits: (overview?.breakers ?? []).flatMap(({ name, state, since }) =>
      state === 'closed' ? [] : [`The circuit to the ${name} is ${state}${since === null ? '' : ` since ${since}`}`],
    ),
    runs: runs.map(runOf),
    olderRuns: Math.max(0, (overview?.allRuns ?? 0) - runs.length),
    gaps: gapsIn(overview, scheduled),
    covered: coveredIn(overview, scheduled),
    reasons: reasonsOf(overview),
    notShown: notShown(
      Math.max(0, all.length - mostPlaces) + others.size + waiting.more,
      isWhole && given.isWhole,
      about.source !== null,
    ),
    places: columnsOf(all.slice(0, mostPlaces)),
  }
}

/** In words: what isn't shown, '' where all is. Dead and rejected locations come first, then the newest tasks'. */
function notShown(count: number, isWhole: boolean, hasSource: boolean): string {
  if (count === 0) return isWhole ? '' : 'locations without a newer task, if there are any'
  const which = `with the oldest tasks${hasSource ? ', or with none' : ''}`
  return `${isWhole ? '' : 'at least '}${plural(count, 'more location')}, ${which}`
}

/** Without the scheduled times in them that were served since. */
function gapsIn(overview: Overview | undefined, scheduled: About['scheduled']): ReportGap[] {
  const done = (overview?.runs ?? []).flatMap(({ slot, state }) => (state === 'done' ? [Date.parse(slot)] : []))
  const times = [...new Set(done)].filter((time) => [...scheduled(time - 1, time)].length > 0)
  return (overview?.gaps ?? []).flatMap(({ from, to, count, reason }) => {
    const left = count - times.filter((time) => Date.parse(from) <= time && time <= Date.parse(to)).length
    return left > 0 ? [{ from, to, count: left, reason }] : []
  })
}

/** What lies in a run's interval before its slot, and isn't missed. */
function coveredIn(overview: Overview | undefined, scheduled: About['scheduled']): ReportCovered[] {
  const gaps = (overview?.gaps ?? []).map(({ from, to }) => [Date.parse(from), Date.parse(to)] as const)
  const isMissed = (time: number): boolean => gaps.some(([from, to]) => time >= from && time <= to)
  return (overview?.runs ?? []).flatMap(({ slot, interval, state }, _, all) => {
    // A discarded run covers nothing, unless its slot was read again.
    const isGivenUp =
      state === 'discarded' && !all.some((run) => run.slot === slot && run.again && run.state === 'done')
    if (!interval || isGivenUp) return []
    const before = [...scheduled(Date.parse(interval.from), Date.parse(slot) - 1)].filter((time) => !isMissed(time))
    const [from, to] = [before[0], before.at(-1)]
    if (from === undefined || to === undefined) return []
    return [{ from: new Date(from).toISOString(), to: new Date(to).toISOString(), count: before.length, by: slot }]
  })
}

function runOf({ isCovered, persisted, state, shard, lastError, ...run }: Overview['runs'][number]): ReportRun {
  const { runId, slot, read, rejected, duplicates, notDue, skipped, delivered, pending, dead, discarded, lost } = run
  return {
    runId,
    slot,
    state: isCovered ? 'covered' : state,
    shard: shard ?? '',
    stored: persisted,
    read,
    rejected,
    duplicates,
    notDue,
    skipped,
    delivered,
    pending,
    dead,
    discarded,
    lost,
    startedAt: run.startedAt,
    readAt: run.readAt,
    finishedAt: run.finishedAt,
    lastError: (lastError ?? '').slice(0, 200),
  }
}

function reasonsOf(overview: Overview | undefined): ReportReason[] {
  const { dead, rejected } = overview?.reasons ?? { dead: [], rejected: [] }
  const all = [
    ...dead.map((one) => ({ ...one, position: `seq ${one.position}`, state: 'dead' as const })),
    ...rejected.map((one) => ({ ...one, state: 'rejected' as const })),
  ]
  const commonest = all.sort((one, other) => other.count - one.count).slice(0, mostReasons)
  return commonest.map((one) => ({ ...one, value: one.value.slice(0, lengthOfExample) }))
}
