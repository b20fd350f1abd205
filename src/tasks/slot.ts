/**
 * A slot in the form that owm writes: UTC, with seconds, and with milliseconds only if there are any.
 *
 * @returns undefined if the text isn't an ISO 8601 time with a zone
 */
export function normalSlot(given: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/.test(given)) return undefined
  // `Date` would turn 31 April into 1 May.
  const day = given.slice(0, 10)
  if (Number.isNaN(Date.parse(day)) || new Date(day).toISOString().slice(0, 10) !== day) return undefined
  const time = new Date(given)
  return Number.isNaN(time.getTime()) ? undefined : slotOf(time.getTime())
}

/** The slot of a time in milliseconds since 1970. */
export const slotOf = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z')

/** Compares slots by time: as texts, `10:00:00.500Z` would come before `10:00:00Z`. */
export const byTime = (a: string, b: string): number => Date.parse(a) - Date.parse(b)

/** A source's digest: the hash and, if it reads a shard, ` i/n`. */
export const withShard = (digest: string, shard: { index: number; count: number } | undefined): string =>
  shard ? `${digest} ${shard.index}/${shard.count}` : digest

/** The shard in such a digest, as `i/n`; '' for the whole. */
export const shardNameIn = (digest: string): string => digest.split(' ')[1] ?? ''

/** Whether two runs read the same shard, or both the whole. */
export const isSameShard = (one: { sourceDigest: string }, other: { sourceDigest: string }): boolean =>
  shardNameIn(one.sourceDigest) === shardNameIn(other.sourceDigest)

/** The whole list is shard 0 of 1. */
export type Shard = readonly [index: number, count: number]

/** The shard with a name, `i/n`, or '' for the whole. */
export function shardNamed(name: string): Shard {
  const [index, count] = (name || '0/1').split('/')
  return [Number(index), Number(count)]
}

export const shardOf = (digest: string): Shard => shardNamed(shardNameIn(digest))

/** The variable with the number of a shard, as a Kubernetes Indexed Job sets it: for `source.shards`. */
export const indexVariable = 'JOB_COMPLETION_INDEX'

/**
 * The flag, after a space, with which a command works on this shard wherever it is entered.
 * @param shard as `i/n`; '' for the whole
 * @param isSharded whether the configuration reads a shard: then the whole needs a flag, too
 */
export const shardFlag = (shard: string, isSharded: boolean): string =>
  shard === '' && !isSharded ? '' : ` --shard ${shard || '0/1'}`

/** The same, of the shard in the digest of a source. */
export const flagOfDigest = (digest: string, isSharded: boolean): string => shardFlag(shardNameIn(digest), isSharded)

/** The same of one or more shards: of several `flag` has I/N for each, and `each` names them, between commas. */
export function flagOfShards(shards: Iterable<string>, isSharded: boolean): { flag: string; each: string } {
  const [first = '', ...others] = new Set(shards)
  if (others.length === 0) return { flag: shardFlag(first, isSharded), each: '' }
  const names = [first, ...others].map((shard) => shard || '0/1')
  return { flag: ' --shard I/N', each: `, for I/N each of ${names.join(', ')},` }
}

/** The flags with which a command works on a slot, or on one shard of it: see `shardFlag`. */
export const slotFlags = (slot: string, shard: string, isSharded: boolean): string =>
  `--slot ${slot}${shardFlag(shard, isSharded)}`

/** The indexes of those of `count` shards that aren't there. */
export const missingOf = (count: number, isThere: (shard: number) => boolean): number[] =>
  [...Array(count).keys()].filter((shard) => !isThere(shard))
