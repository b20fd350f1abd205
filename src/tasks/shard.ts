/** Parts of a list, of which each start reads one. */

/** One of them. The whole list is shard 0 of 1. */
export interface Shard {
  /** 0..count-1. */
  readonly index: number
  readonly count: number
}

/** As people and outboxes write it: `i/n`. */
export const nameOfShard = ({ index, count }: Shard): string => `${index}/${count}`

/** As a label and in the names of files: `i-of-n`. */
export const labelOfShard = ({ index, count }: Shard): string => `${index}-of-${count}`

/** The shard with such a name, or '' for the whole. */
export function shardNamed(name: string): Shard {
  const [index, count] = (name || '0/1').split('/')
  return { index: Number(index), count: Number(count) }
}

/** A source's digest: the hash and, if it reads a shard, ` i/n`. */
export const withShard = (digest: string, shard: Shard | undefined): string =>
  shard ? `${digest} ${nameOfShard(shard)}` : digest

/** The shard in such a digest, as `i/n`; '' for the whole. */
export const shardNameIn = (digest: string): string => digest.split(' ')[1] ?? ''

/** Whether two runs read the same shard, or both the whole. */
export const isSameShard = (one: { sourceDigest: string }, other: { sourceDigest: string }): boolean =>
  shardNameIn(one.sourceDigest) === shardNameIn(other.sourceDigest)

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
