/**
 * A slot in the one form that owm writes: UTC, seconds, and milliseconds only where there are any.
 *
 * @returns undefined where the text isn't an ISO 8601 time with a zone
 */
export function normalSlot(given: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/.test(given)) return undefined
  // A day that its month doesn't have would become one of the next month.
  const day = given.slice(0, 10)
  if (Number.isNaN(Date.parse(day)) || new Date(day).toISOString().slice(0, 10) !== day) return undefined
  const time = new Date(given)
  return Number.isNaN(time.getTime()) ? undefined : slotOf(time.getTime())
}

/** The slot of a time in milliseconds since 1970. */
export const slotOf = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z')

/** Sorts slots by their times: as texts, `10:00:00.500Z` comes before `10:00:00Z`. */
export const byTime = (a: string, b: string): number => Date.parse(a) - Date.parse(b)

/** A source's digest, with the shard of the slot that it reads behind the hash. */
export const withShard = (digest: string, shard: { index: number; count: number } | undefined): string =>
  shard ? `${digest} ${shard.index}/${shard.count}` : digest

/** The shard in such a digest, as `i/n`; '' for the whole. */
export const shardNameIn = (digest: string): string => digest.split(' ')[1] ?? ''

/** Its index, and the number of shards: 0 of 1 for the whole. */
export type Shard = readonly [index: number, count: number]

/** The shard of this name, `i/n`, or '' for the whole. */
export function shardNamed(name: string): Shard {
  const [index, count] = (name || '0/1').split('/')
  return [Number(index), Number(count)]
}

export const shardOf = (digest: string): Shard => shardNamed(shardNameIn(digest))

/** The indexes of those of so many shards that aren't there. */
export const missingOf = (count: number, isThere: (shard: number) => boolean): number[] =>
  [...Array(count).keys()].filter((shard) => !isThere(shard))
