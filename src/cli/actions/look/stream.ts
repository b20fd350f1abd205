/** `owm stream inspect`: how full the sink is, how far its readers are, and whether the next run would fit. */
import type { Loaded } from '../../../config/load.js'
import { ConfigurationError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import { nextTasksIn } from '../../../outbox/inspect/next.js'
import type { GroupPicture, SinkPicture } from '../../../plugin.js'
import type { Done } from '../../command.js'
import type { Surroundings } from '../../compose.js'
import { age, count, plural } from '../../format.js'
import { table, terminalWidth, wrapped } from '../../table.js'
import { addressOf, entriesOf, placeOfSink, withSink } from './sink.js'

type Group = Omit<GroupPicture, 'oldestUnread'> & {
  /** `at`: when it was added, ISO 8601. */
  oldestUnread: { id: string; at: string; ageMs: number } | null
}

/**
 * What would become of the waiting tasks plus as many as the last run brought: `fits`; `trims` entries that a group
 * has not read (or, without groups, possibly unread ones); `holds`: they would wait in the outbox; null: unknown.
 */
interface Next {
  tasks: number
  would: 'fits' | 'trims' | 'holds' | null
  /** Entries in the way that not every group has read, or nobody. */
  unread: number | null
}

/** What `owm stream inspect --json` prints. */
export interface StreamResult extends Omit<SinkPicture, 'groups'> {
  sink: { name: string | null; address: string | null }
  groups: Group[]
  next: Next
}

export const nothingSeen = (): StreamResult => ({
  sink: { name: null, address: null },
  entries: 0,
  bound: null,
  entriesPerMinute: null,
  groups: [],
  next: { tasks: 0, would: null, unread: null },
})

export async function inspectStream(
  result: StreamResult,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<StreamResult>> {
  const loaded = await configure()
  await withSink(loaded, around, async (sink, name) => {
    result.sink = { name, address: addressOf(sink) }
    if (!sink.inspect)
      throw new ConfigurationError(`The sink ${name} doesn't tell what it holds: there is nothing to inspect.`, {
        hint: '`owm stream inspect` is for a sink with readers, such as redis-stream.',
      })
    const picture = await sink.inspect()
    const now = around.now()
    const groups = picture.groups.map(({ oldestUnread: oldest, ...group }) => ({
      ...group,
      oldestUnread: oldest && { ...oldest, at: new Date(oldest.at).toISOString(), ageMs: Math.max(0, now - oldest.at) },
    }))
    const tasks = (await nextTasksIn(loaded.settings.outbox.path)) ?? 0
    Object.assign(result, picture, { groups, next: nextOf(picture, tasks) })
  })
  return { result, summary: await reportOf(result) }
}

function nextOf({ entries, bound, whenFull, groups }: SinkPicture, tasks: number): Next {
  const over = bound === null ? 0 : entries + tasks - bound
  if (over <= 0) return { tasks, would: 'fits', unread: 0 }
  const trimmed = Math.min(over, entries)
  const lags = groups.map(({ lag }) => lag)
  // Without groups every entry counts as unread.
  const lag = groups.length === 0 ? entries : lags.includes(null) ? null : Math.max(...lags.map(Number))
  // More tasks than the bound never fit: a run doesn't trim its own tasks.
  if (bound !== null && tasks > bound) return { tasks, would: 'holds', unread: lag }
  if (lag === null) return { tasks, would: null, unread: null }
  const unread = Math.max(0, trimmed - (entries - lag))
  if (unread === 0) return { tasks, would: 'fits', unread }
  return { tasks, would: whenFull === 'hold' ? 'holds' : 'trims', unread }
}

async function reportOf({ sink, entries, bound, entriesPerMinute, groups, next }: StreamResult): Promise<string[]> {
  const width = terminalWidth()
  const full = bound === null ? '' : ` of at most ${count(bound)} (${share(entries, bound)})`
  const pace = entriesPerMinute === null ? '' : `, ${rounded(entriesPerMinute)} a minute over the last hour`
  const head = ['GROUP', 'UNREAD', 'OLDEST UNREAD', 'HELD', 'CONSUMERS', 'LAST HEARD']
  const rows = groups.toSorted(slowestFirst).map(({ name, lag, pending, oldestUnread, consumers }) => {
    const idle = consumers.map(({ idleMs }) => idleMs)
    return [
      ...[name, lag === null ? '?' : count(lag), oldestUnread === null ? '' : `${age(oldestUnread.ageMs)} old`],
      ...[count(pending), count(consumers.length), idle.length === 0 ? 'never' : `${age(Math.min(...idle))} ago`],
    ]
  })
  return compact(
    ...wrapped(placeOfSink(sink), width),
    ...wrapped(`${entriesOf(entries)}${full}${pace}`, width),
    ...(rows.length > 0 ? ['', ...(await table(head, rows.slice(0, shownRows), width))] : ['', 'no group reads it']),
    rows.length > shownRows && `and ${plural(rows.length - shownRows, 'group')} more: --json has all of them`,
    ...holdersIn(groups, width),
    '',
    ...wrapped(`next: ${nextInWords(next, groups.length > 0)}`, width),
  )
}

/** The most groups, and consumers, to show. */
const shownRows = 20

/** A consumer that holds entries and has been silent for this long may be gone. */
const silentMs = 600_000

const slowestFirst = (one: Group, other: Group): number =>
  (other.lag ?? Number.MAX_VALUE) - (one.lag ?? Number.MAX_VALUE) || other.pending - one.pending

/** Consumers that hold entries and have been silent for long: they may be gone, and their entries with them. */
function holdersIn(groups: readonly Group[], width: number): string[] {
  const silent = groups
    .flatMap(({ name: group, consumers }) => consumers.map((consumer) => ({ group, ...consumer })))
    .filter(({ pending, idleMs }) => pending > 0 && idleMs > silentMs)
    .toSorted((one, other) => other.idleMs - one.idleMs)
  const lines = silent.slice(0, shownRows).flatMap(({ group, name, pending, idleMs }) => {
    return wrapped(`${name} of ${group} holds ${entriesOf(pending)} and was last heard ${age(idleMs)} ago`, width)
  })
  const more = silent.length > shownRows ? [`and ${plural(silent.length - shownRows, 'consumer')} more`] : []
  return lines.length > 0 ? ['', ...lines, ...more] : []
}

function nextInWords({ tasks, would, unread }: Next, hasGroup: boolean): string {
  const incoming = plural(tasks, 'task')
  const unreadBy = hasGroup ? 'that not every group has read' : 'of which nobody knows whether they were read'
  const entries = entriesOf(unread ?? 0)
  if (would === 'fits') return `${incoming} would fit`
  if (would === 'trims') return `${incoming} would trim ${entries} ${unreadBy}`
  if (would === 'holds') return `${incoming} would wait in the outbox: ${entries} ${unreadBy} would be in the way`
  return `${incoming}: the sink doesn't know how much was read`
}

const share = (entries: number, bound: number): string => `${Math.round((100 * entries) / bound)} %`

const rounded = (perMinute: number): string =>
  perMinute > 0 && perMinute < 10 ? perMinute.toFixed(1) : count(Math.round(perMinute))
