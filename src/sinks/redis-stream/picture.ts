/**
 * What a stream holds, and how far its groups are. Reads only.
 *
 * https://redis.io/docs/latest/commands/xinfo-groups/ (lag and entries-read: Redis 7), xinfo-consumers, xpending
 */
import type { Redis } from 'ioredis'
import type { Entry, GroupPicture, Reading, SinkPicture } from '../../plugin.js'
import { taskIdOf } from '../../tasks/id.js'
import type { Connection } from './connection/index.js'
import { isMissingKey, listOf, unexpected } from './errors.js'
import type { Settings } from './options.js'

/** Entries that one look at the stream fetches. */
const pageOfEntries = 1_000

/** So many of them at most are read to count: those of a stream with the default bound. */
const mostCounted = 100_000

const hourMs = 3_600_000
const minuteMs = 60_000

/** The greatest number in an entry's id. */
const most = 2n ** 64n - 1n

type Stored = [id: string, fields: string[]]

/** From the entry `first` to the entry `last`, both included, the oldest first. */
export async function* entriesOf(
  connection: Connection,
  stream: string,
  first = '-',
  last = '+',
): AsyncGenerator<Entry> {
  for (let from = first; ; ) {
    const page = await connection.ask((redis) => redis.xrange(stream, from, last, 'COUNT', pageOfEntries))
    for (const [id, fields] of listOf(page)) yield { id, taskId: taskIdIn(fields), at: timeOf(id) }
    const [end] = page.at(-1) ?? []
    if (end === undefined || page.length < pageOfEntries) return
    from = idAfter(end)
  }
}

/** All entries, a page at a time, the newest first. */
export async function* pagesBack(connection: Connection, stream: string): AsyncGenerator<readonly Stored[]> {
  for (let end = '+'; ; ) {
    const page = await connection.ask((redis) => redis.xrevrange(stream, end, '-', 'COUNT', pageOfEntries))
    yield listOf(page)
    const [last] = page.at(-1) ?? []
    if (last === undefined || page.length < pageOfEntries) return
    end = idBefore(last)
  }
}

/** The least id behind another: what `(` before an id means to Redis 6.2 and newer, and to no older one. */
export function idAfter(id: string): string {
  const [ms, seq] = parts(id)
  return seq < most ? `${ms}-${seq + 1n}` : `${ms + 1n}-0`
}

/** The greatest id before another one than `0-0`. */
export function idBefore(id: string): string {
  const [ms, seq] = parts(id)
  return seq > 0n ? `${ms}-${seq - 1n}` : `${ms - 1n}-${most}`
}

/** An entry's id: milliseconds, and a number of 64 bits among those of one millisecond. */
function parts(id: string): [ms: bigint, seq: bigint] {
  const [ms = '0', seq = '0'] = id.split('-')
  return [BigInt(ms), BigInt(seq)]
}

/** '' for somebody else's entry. */
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
  const groups = await connection.ask((redis) => groupsOf(redis, stream))
  const counted = isQuick ? notCounted : await count(connection, stream, groups, now)
  return {
    entries: length,
    bound: maxLength,
    whenFull: onFull,
    entriesPerMinute: counted.perMinute,
    groups: await Promise.all(groups.map((group) => groupPicture(connection, stream, group, counted))),
  }
}

/** What XINFO GROUPS says. */
export interface Group {
  readonly name: string
  readonly pending: number
  readonly delivered: string
  /** Null before Redis 7, and where entries in front of it were deleted one by one. */
  readonly lag: number | null
  /** Null before Redis 7, and until a group that was made at an entry reads. */
  readonly read: number | null
}

export async function groupsOf(redis: Redis, stream: string): Promise<Group[]> {
  const [infos, length] = await Promise.all([
    infosOf(() => redis.xinfo('GROUPS', prefixed(redis, stream))),
    redis.xlen(stream),
  ])
  // Redis counts those, too, that were trimmed before the group read them.
  const there = (lag: number | null): number | null => (lag === null ? null : Math.min(lag, length))
  return infos.map((info) => ({
    name: String(info.get('name')),
    pending: Number(info.get('pending')),
    delivered: String(info.get('last-delivered-id')),
    lag: there(numberOrNull(info.get('lag'))),
    read: numberOrNull(info.get('entries-read')),
  }))
}

interface Counted {
  readonly perMinute: number | null
  /** Entry that a group has read last -> how many came behind it; missing where it is too far back to count. */
  readonly behind: ReadonlyMap<string, number>
}

const notCounted: Counted = { perMinute: null, behind: new Map() }

/** Counts from the newest entry back, until an hour ago and behind what the groups have read whose lag isn't known. */
async function count(connection: Connection, stream: string, groups: readonly Group[], now: number): Promise<Counted> {
  const behind = new Map<string, number>()
  const open = new Set(groups.flatMap(({ lag, delivered }) => (lag === null ? delivered : [])))
  let [seen, ofHour, oldest] = [0, 0, now]
  for await (const page of pagesBack(connection, stream)) {
    for (const [id] of page) {
      for (const delivered of open) {
        if (isAfter(id, delivered)) continue
        behind.set(delivered, seen)
        open.delete(delivered)
      }
      seen++
      if (timeOf(id) <= now - hourMs) continue
      ofHour++
      oldest = timeOf(id)
    }
    const [last] = page.at(-1) ?? []
    const isWhole = last === undefined || timeOf(last) <= now - hourMs
    if (isWhole && open.size === 0) return { perMinute: ofHour / 60, behind }
    if (seen >= mostCounted) return { perMinute: isWhole ? ofHour / 60 : rate(ofHour, now - oldest), behind }
  }
  // What they have read last is gone: they have all of it before them.
  for (const delivered of open) behind.set(delivered, seen)
  return { perMinute: ofHour / 60, behind }
}

/** Where not all of the hour could be counted. */
const rate = (entries: number, withinMs: number): number => entries / Math.max(1, Math.min(60, withinMs / minuteMs))

export async function groupPicture(
  connection: Connection,
  stream: string,
  { name, pending, delivered, lag }: Group,
  { behind }: Pick<Counted, 'behind'>,
): Promise<GroupPicture> {
  return connection.ask(async (redis) => {
    const [[next] = [], consumers] = await Promise.all([
      redis.xrange(stream, idAfter(delivered), '+', 'COUNT', 1),
      infosOf(() => redis.xinfo('CONSUMERS', prefixed(redis, stream), name)),
    ])
    return {
      name,
      pending,
      lag: lag ?? behind.get(delivered) ?? null,
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
    const held = pending === 0 ? undefined : await connection.ask((redis) => holderOf(redis, stream, group, entry))
    return held ? { group, state: 'held', holder: held } : { group, state: 'acknowledged' }
  }
  return Promise.all(groups.map(reading))
}

async function holderOf(redis: Redis, stream: string, group: string, entry: string): Promise<Reading['holder']> {
  const [found] = await redis.xpending(stream, group, entry, entry, 1)
  if (!Array.isArray(found)) return undefined
  const [, consumer, idleMs, deliveries] = found
  return { consumer: String(consumer), idleMs: Number(idleMs), deliveries: Number(deliveries) }
}

/** ioredis puts the prefix of a URL before the keys of all commands but XINFO. */
const prefixed = ({ options }: Redis, stream: string): string => `${options.keyPrefix ?? ''}${stream}`

type Info = ReadonlyMap<unknown, unknown>

/** Lists of names and values, one a group or consumer; none where there is no stream, or the group has gone since. */
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

/** Entries that were ever added to a stream, 0 where there is none; null before Redis 7. */
export async function addedTo(redis: Redis, stream: string): Promise<number | null> {
  try {
    return numberOrNull(infoOf(await redis.xinfo('STREAM', prefixed(redis, stream))).get('entries-added'))
  } catch (error) {
    if (isMissingKey(error)) return 0
    throw error
  }
}

const numberOrNull = (value: unknown): number | null => (typeof value === 'number' ? value : null)

/** Milliseconds since 1970. */
const timeOf = (id: string): number => Number(id.split('-')[0])

/** Whether an entry comes after another one. Their numbers may be larger than a double holds. */
export function isAfter(entry: string, other: string): boolean {
  const [[time, number], [otherTime, otherNumber]] = [parts(entry), parts(other)]
  return time === otherTime ? number > otherNumber : time > otherTime
}
