/** What the sink has of single tasks, and who has read them. */
import type { Reading, Receipt, Sink } from '../../../../plugin.js'
import { reachesBackTo, removersOf } from '../sink.js'

/** An entry that holds a task. */
export interface Seen {
  readonly id: string
  readonly taskId: string
  /** When it was added, ISO 8601; null where the sink doesn't say. */
  readonly at: string | null
  /** Empty where no group reads it, or the sink knows none. */
  readonly readings: readonly Reading[]
}

/** What became of a task that the sink took and that isn't there any more. */
export interface Gone {
  /**
   * `taken`: readers take away what they have done. `trimmed`: the sink is full, and no longer reaches back to it.
   * `missing`: nothing of its own removed it. `elsewhere`: it never went to this sink, but to others.
   */
  readonly how: 'taken' | 'trimmed' | 'missing' | 'elsewhere'
  /** Where those are, without credentials; empty otherwise. */
  readonly sinks: readonly string[]
  /** Groups that surely never read it: they aren't yet where its slot begins. */
  readonly unreadBy: readonly string[]
  /** Groups that are behind its slot: they have read it, or it was trimmed in front of them. */
  readonly passedBy: readonly string[]
}

/** Entries of which the readers are asked for; those of others are only named. */
const mostAsked = 10

/** Entries with these tasks, the newest first. */
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

/** What became of a task of this slot that isn't there. */
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
