/** Whether each shard delivers: one that never starts has no outbox that could tell. */
import { groupedBy } from '../lists.js'
import { standing } from '../pipeline/slots/in-sink.js'
import type { Diagnosis, Receipt, Sink } from '../plugin.js'
import { byTime } from '../tasks/slot.js'
import { count, plural } from '../words.js'
import { fine, unknown, wrong } from './verdict.js'

/** By how many slots one shard may be behind another: the newest may still be under way. */
const patience = 1

/** How long one shard may take for a slot that another has delivered. */
const patienceMs = 6 * 3_600_000

/** What the configuration says of a pipeline's shards. */
export interface Sharding {
  /** The name under which receipts are written. */
  readonly pipeline: string
  /** How many shards the configuration has: 1 for the whole. */
  readonly shards: number
  /** That of this configuration; undefined if the environment should give it, but doesn't. */
  readonly ownShard: number | undefined
}

/** @param now milliseconds since 1970 */
export async function shardsCheck(
  sink: Sink,
  { pipeline, shards, ownShard }: Sharding,
  now: number,
): Promise<Diagnosis[]> {
  if (shards === 1 || !sink.receipts) return []
  const receipts = standing(await sink.receipts(pipeline)).filter((receipt) => receipt.shards === shards)
  const [first, ...others] = new Set(receipts.map(({ shard }) => shard))
  if (first !== undefined && others.length === 0 && (ownShard ?? first) === first)
    return [unknown('sink-shards', `only shard ${first}/${shards} is there: others deliver elsewhere, or never did`)]
  const behind = laggards(receipts, shards, now)
  if (behind.length > 0) return [wrong('sink-shards', behind.map(laggardInWords).join('; '))]
  const found = receipts.length > 0 ? 'no shard is behind' : `no slot in ${count(shards)} shards yet`
  return [fine('sink-shards', found)]
}

interface Laggard {
  /** As `0/3`. */
  readonly name: string
  /** Its newest slot; undefined if it has none. */
  readonly newest: string | undefined
  /** What another shard has delivered since, the newest first. */
  readonly lacks: readonly string[]
}

function laggards(receipts: readonly Receipt[], shards: number, now: number): Laggard[] {
  const byShard = groupedBy(receipts, ({ shard }) => shard)
  // By the time of their slots: a backfill writes receipts of old ones.
  const slotsOf = (shard: number): string[] =>
    (byShard.get(shard) ?? []).map(({ slot }) => slot).sort((a, b) => byTime(b, a))
  const slots = [...Array(shards).keys()].map(slotsOf)
  return slots.flatMap(([newest], shard) => {
    // Compared with each other shard by itself: without a schedule, the same hour may be another slot in each.
    const newer = slots.map((others) => others.filter((slot) => newest === undefined || byTime(slot, newest) > 0))
    const lacks = newer.reduce((most, some) => (some.length > most.length ? some : most), [])
    const oldest = lacks.at(-1)
    const isBehind = lacks.length > patience || (oldest !== undefined && now - Date.parse(oldest) > patienceMs)
    return isBehind ? [{ name: `${shard}/${shards}`, newest, lacks }] : []
  })
}

function laggardInWords({ name, newest, lacks }: Laggard): string {
  const others = `another shard has ${plural(lacks.length, 'slot')}${newest ? ' since' : ''}, the newest ${lacks[0]}`
  return `shard ${name} has ${newest ? `nothing after ${newest}` : 'no receipt'}, while ${others}`
}
