/**
 * What a stream holds, and how far its groups have read. Reads only.
 *
 * https://redis.io/docs/latest/commands/xinfo-groups/ (lag and entries-read: Redis 7), xinfo-consumers, xpending
 */
import type { Redis } from 'ioredis'
import type { Entry, GroupPicture, Reading, SinkPicture } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import type { Connection } from './connection/index.js'
import { isMissingKey, listOf, unexpected } from './errors.js'
import type { Settings } from './options.js'

/** Entries fetched by one command. */
const pageSize = 1_000

/** At most this many are read to count them: as many as a stream has with the default bound. */
const mostCounted = 100_000

/** The same for a start, which shows its metrics at its end. */
const mostCountedQuickly = 10_000

const hourMs = 3_600_000
const minuteMs = 60_000

/** The largest sequence number in an entry's id. */
const maxSequence = 2n ** 64n - 1n

type Stored = [id: string, fields: string[]]

/** The entries from `first` to `last`, both included, the oldest first. */
export async function* entriesOf(
  connection: Connection,
  stream: string,
  first = '-',
  last = '+',
): AsyncGenerator<Entry> {
  for (let from = first; ; ) {
    const page = await connection.ask((redis) => redis.xrange(stream, from, last, 'COUNT', pageSize))
    for (const [id, fields] of listOf(page)) yield { id, taskId: taskIdIn(fields), at: timeOf(id) }
    const [end] = page.at(-1) ?? []
    if (end === undefined || page.length < pageSize) return
    from = idAfter(end)
  }
}

/** All entries, a page at a time, the newest first. */
export async function* pagesBack(connection: Connection, stream: string): AsyncGenerator<readonly Stored[]> {
  for (let end = '+'; ; ) {
    const page = await connection.ask((redis) => redis.xrevrange(stream, end, '-', 'COUNT', pageSize))
    yield listOf(page)
    const [last] = page.at(-1) ?? []
    if (last === undefined || page.length < pageSize) return
    end = idBefore(last)
  }
}

/** The smallest id after another one. (Only Redis 6.2 and newer know `(` before an id.) */
export function idAfter(id: string): string {
  const [ms, seq] = idParts(id)
  return seq < maxSequence ? `${ms}-${seq + 1n}` : `${ms + 1n}-0`
}

/** The largest id before another one, which isn't `0-0`. */
export function idBefore(id: string): string {
  const [ms, seq] = idParts(id)
  return seq > 0n ? `${ms}-${seq - 1n}` : `${ms - 1n}-${maxSequence}`
}

/** An entry's id: milliseconds, and a sequence number of 64 bits within one millisecond. */
function idParts(id: string): [ms: bigint, seq: bigint] {
  const [ms = '0', seq = '0'] = id.split('-')
  return [BigInt(ms), BigInt(seq)]
}

/** '' for an entry that isn't owm's. */
export function taskIdIn(fields: readonly string[]): string {
  try {
    return taskIdOf(fields[fields.indexOf('data') + 1] ?? '')
  } catch {
    return ''
  }
}

export async function pictureOf(
  connection: Connection,
  { stream, maxLength, onFull }: Settings,
  now: number,
  isQuick: boolean,
): Promise<SinkPicture> {
  const length = await connection.ask((redis) => redis.xlen(stream))
  if (typeof length !== 'number') throw unexpected(length)
  const groups = await countedGroupsOf(connection, stream, isQuick ? mostCountedQuickly : mostCounted)
  return {
    entries: length,
    bound: maxLength,
    whenFull: onFull,
    entriesPerMinute: isQuick ? null : await perMinute(connection, stream, now),
    groups: await Promise.all(groups.map((group) => groupPicture(connection, stream, group))),
  }
}

/** A group of XINFO GROUPS. */
export interface Group {
  readonly name: string
  readonly pending: number
  readonly delivered: string
  /** How many entries it hasn't read; null if only counting can tell. */
  readonly lag: number | null
  /** At most that many; null before Redis 7, and after entries ahead of it were deleted one by one. */
  readonly lagAtMost: number | null
  /** Null before Redis 7, and for a group that was made at an entry until it reads. */
  readonly read: number | null
}

async function groupsOf(redis: Redis, stream: string): Promise<Group[]> {
  const [infos, at] = await Promise.all([
    infosOf(() => redis.xinfo('GROUPS', prefixed(redis, stream))),
    streamOf(redis, stream),
  ])
  return infos.map((info) => {
    const delivered = String(info.get('last-delivered-id'))
    const said = numberOrNull(info.get('lag'))
    const lagAtMost = said === null ? null : Math.min(said, at.length)
    const hasAll = at.first !== null && isAfter(at.first, delivered)
    // Redis also counts what was removed before the group read it, for good, even once it has read all of the rest.
    const isExact = lagAtMost === 0 || at.added === at.length
    return {
      name: String(info.get('name')),
      pending: Number(info.get('pending')),
      delivered,
      lag: hasAll ? at.length : isExact ? lagAtMost : null,
      lagAtMost,
      read: numberOrNull(info.get('entries-read')),
    }
  })
}

/** The groups; what they haven't read is counted where Redis doesn't know, among the newest entries, at most `most`. */
export async function countedGroupsOf(connection: Connection, stream: string, most = mostCounted): Promise<Group[]> {
  const groups = await connection.ask((redis) => groupsOf(redis, stream))
  const open = new Set(groups.flatMap(({ lag, delivered }) => (lag === null ? delivered : [])))
  const behind = await countBehind(connection, stream, open, most)
  return groups.map((group) => ({ ...group, lag: group.lag ?? behind.get(group.delivered) ?? group.lagAtMost }))
}

/** Entry -> how many follow it; missing where they are more than `most`. Counts back from the newest one. */
async function countBehind(
  connection: Connection,
  stream: string,
  entries: ReadonlySet<string>,
  most: number,
): Promise<ReadonlyMap<string, number>> {
  const behind = new Map<string, number>()
  const open = new Set(entries)
  if (open.size === 0) return behind
  let seen = 0
  for await (const page of pagesBack(connection, stream)) {
    for (const [id] of page) {
      for (const entry of open) {
        if (isAfter(id, entry)) continue
        behind.set(entry, seen)
        open.delete(entry)
      }
      seen++
    }
    if (open.size === 0 || seen >= most) return behind
  }
  // These are gone: all entries follow them.
  for (const entry of open) behind.set(entry, seen)
  return behind
}

/** Entries per minute over the last hour, or over as much of it as can be counted. */
async function perMinute(connection: Connection, stream: string, now: number): Promise<number> {
  let [ofHour, oldest] = [0, now]
  for await (const page of pagesBack(connection, stream)) {
    for (const [id] of page) {
      if (timeOf(id) <= now - hourMs) return ofHour / 60
      ofHour++
      oldest = timeOf(id)
    }
    if (ofHour >= mostCounted) return ofHour / Math.max(1, Math.min(60, (now - oldest) / minuteMs))
  }
  return ofHour / 60
}

export async function groupPicture(
  connection: Connection,
  stream: string,
  { name, pending, delivered, lag }: Group,
): Promise<GroupPicture> {
  return connection.ask(async (redis) => {
    const [[next] = [], consumers] = await Promise.all([
      redis.xrange(stream, idAfter(delivered), '+', 'COUNT', 1),
      infosOf(() => redis.xinfo('CONSUMERS', prefixed(redis, stream), name)),
    ])
    return {
      name,
      pending,
      lag,
      oldestUnread: next ? { id: next[0], at: timeOf(next[0]) } : null,
      consumers: consumers.map((info) => ({
        name: String(info.get('name')),
        pending: Number(info.get('pending')),
        idleMs: Number(info.get('idle')),
      })),
    }
  })
}

/** What each group did with an entry. */
export async function readingsOf(connection: Connection, stream: string, entry: string): Promise<Reading[]> {
  const groups = await connection.ask((redis) => groupsOf(redis, stream))
  const reading = async ({ name: group, delivered, pending }: Group): Promise<Reading> => {
    if (isAfter(entry, delivered)) return { group, state: 'waiting' }
    const holder = pending === 0 ? undefined : await connection.ask((redis) => holderOf(redis, stream, group, entry))
    return holder ? { group, state: 'held', holder } : { group, state: 'acknowledged' }
  }
  return Promise.all(groups.map(reading))
}

async function holderOf(redis: Redis, stream: string, group: string, entry: string): Promise<Reading['holder']> {
  const [held] = await redis.xpending(stream, group, entry, entry, 1)
  if (!Array.isArray(held)) return undefined
  const [, consumer, idleMs, deliveries] = held
  return { consumer: String(consumer), idleMs: Number(idleMs), deliveries: Number(deliveries) }
}

/** ioredis puts the prefix of a URL before the keys of all commands but XINFO. */
const prefixed = ({ options }: Redis, stream: string): string => `${options.keyPrefix ?? ''}${stream}`

type Info = ReadonlyMap<unknown, unknown>

/** One list of names and values per group or consumer; none if the stream or the group doesn't exist. */
async function infosOf(ask: () => Promise<unknown>): Promise<Info[]> {
  const answer = await ask().catch((error: unknown) => {
    if (isMissingKey(error)) return []
    throw error
  })
  if (!Array.isArray(answer)) throw unexpected(answer)
  return answer.map(infoOf)
}

function infoOf(words: unknown): Info {
  const info = new Map<unknown, unknown>()
  if (Array.isArray(words)) for (let at = 0; at + 1 < words.length; at += 2) info.set(words[at], words[at + 1])
  return info
}

interface StreamInfo {
  readonly length: number
  /** Entries that were ever added to it; null before Redis 7. */
  readonly added: number | null
  /** Its first entry; null if it is empty. */
  readonly first: string | null
}

/** Without an entry, and none ever added, if it doesn't exist. */
export async function streamOf(redis: Redis, stream: string): Promise<StreamInfo> {
  try {
    const info = infoOf(await redis.xinfo('STREAM', prefixed(redis, stream)))
    const first = info.get('first-entry')
    return {
      length: Number(info.get('length')),
      added: numberOrNull(info.get('entries-added')),
      first: Array.isArray(first) ? String(first[0]) : null,
    }
  } catch (error) {
    if (isMissingKey(error)) return { length: 0, added: 0, first: null }
    throw error
  }
}

const numberOrNull = (value: unknown): number | null => (typeof value === 'number' ? value : null)

/** Milliseconds since 1970. */
const timeOf = (id: string): number => Number(id.split('-')[0])

/** Whether an entry comes after another one. Their numbers may be larger than a double holds. */
export function isAfter(entry: string, other: string): boolean {
  const [[time, number], [otherTime, otherNumber]] = [idParts(entry), idParts(other)]
  return time === otherTime ? number > otherNumber : time > otherTime
}
