/** Which entries the sink has for a task, and which groups have read them. */
import type { Reading, Receipt, Sink } from '../../../../plugin.js'
import { reachesBackTo, removersOf } from '../sink.js'

/** An entry that holds a task. */
export interface Seen {
  readonly id: string
  readonly taskId: string
  /** When it was added, ISO 8601; null if the sink doesn't say. */
  readonly at: string | null
  /** Empty if the sink has no groups. */
  readonly readings: readonly Reading[]
}

/** What became of a task that the sink took and no longer has. */
export interface Gone {
  /**
   * `taken`: readers remove what they have processed. `trimmed`: the sink is full and no longer reaches back to it.
   * `missing`: neither of these explains it. `elsewhere`: it went to other sinks, not to this one.
   */
  readonly how: 'taken' | 'trimmed' | 'missing' | 'elsewhere'
  /** The addresses of those others, without credentials; empty otherwise. */
  readonly sinks: readonly string[]
  /** Groups that certainly never read it: they haven't reached the slot's first entry. */
  readonly unreadBy: readonly string[]
  /** Groups that are past the slot's last entry: they read it, or it was trimmed before they could. */
  readonly passedBy: readonly string[]
}

/** The most entries for which to look up the readers. */
const mostAsked = 10

/** The entries of these tasks, the newest first. */
export async function entriesWith(sink: Sink, ids: ReadonlySet<string>): Promise<Seen[]> {
  const found: Omit<Seen, 'readings'>[] = []
  for await (const { id, taskId, at } of sink.entries?.() ?? [])
    if (ids.has(taskId)) found.push({ id, taskId, at: at === undefined ? null : new Date(at).toISOString() })
  const seen: Seen[] = []
  for (const [index, entry] of found.toReversed().entries())
    seen.push({ ...entry, readings: index < mostAsked ? ((await sink.readings?.(entry.id)) ?? []) : [] })
  return seen
}

export const goneAs = (how: Gone['how'], sinks: readonly string[] = []): Gone => ({
  how,
  sinks,
  unreadBy: [],
  passedBy: [],
})

/** What became of an absent task whose slot has this receipt. */
export async function goneFrom(sink: Sink, receipt: Receipt | undefined): Promise<Gone> {
  const { firstEntry: first, lastEntry: last } = receipt ?? {}
  const { isFull, readersRemove } = await removersOf(sink)
  if (readersRemove) return goneAs('taken')
  if (!first || !last) return goneAs('missing')
  const [begin, end] = [(await sink.readings?.(first)) ?? [], (await sink.readings?.(last)) ?? []]
  return {
    ...goneAs(!isFull || (await reachesBackTo(sink, first)) ? 'missing' : 'trimmed'),
    unreadBy: begin.filter(({ state }) => state === 'waiting').map(({ group }) => group),
    passedBy: end.filter(({ state }) => state !== 'waiting').map(({ group }) => group),
  }
}
