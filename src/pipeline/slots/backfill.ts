/** `owm backfill`: scheduled times of the past that no start served. */
import { type OwmError, UsageError } from '../../errors/index.js'
import { sumOf } from '../../lists.js'
import type { SlotSeen, SlotsSeen } from '../../outbox/inspect/ledger/slots.js'
import type { Outbox } from '../../outbox/outbox.js'
import { currentOf } from '../../outbox/runs/whole-slots.js'
import type { Receipt } from '../../plugin.js'
import { missingOf, type Shard, shardNamed, shardOf } from '../../tasks/shard.js'
import { byTime, slotOf } from '../../tasks/slot.js'
import type { Deps, SourceDeps } from '../parts.js'
import { refusedBefore, refusedElsewhere } from '../undelivered.js'
import type { Agenda } from './agenda.js'
import { type Begun, inSink, standing } from './in-sink.js'
import { enterDueTimes, type OnTime } from './on-time.js'

type Asking = Pick<Deps, 'sink' | 'pipeline' | 'resilience' | 'signal'>

/** A scheduled time that was served, though its list may not be in the sink as a whole. */
export interface ServedBefore {
  readonly slot: string
  /** Dead letters of this outbox. */
  readonly dead: number
  /** Dead letters of another outbox, if that served it. */
  readonly deadElsewhere: number
  /** Locations. */
  readonly rejected: number
}

export interface Unserved {
  /** Oldest first. */
  readonly slots: readonly string[]
  /** Oldest first. */
  readonly served: readonly ServedBefore[]
  /** Slots that an operator gave up or the sink lost: `produce --slot TIME --again` serves such a slot. */
  readonly givenUp: readonly string[]
  /** Slots partly served in another number of shards: no start with this number can serve the rest. */
  readonly divided: readonly Begun[]
}

/** Asks the sink for the receipts of a slot; without one, for those of its newest slots. */
export type AskReceipts = (slot?: string) => Promise<readonly Receipt[]>

/**
 * The scheduled times that a backfill serves: those for which the outbox has no run that was read, and the sink no
 * receipt. Throws UsageError if that isn't known of one.
 */
export async function unserved(
  times: Iterable<number>,
  { slots: seen, newestDeletedSlot }: SlotsSeen,
  ask: AskReceipts,
  { digest }: Pick<SourceDeps, 'digest'>,
): Promise<Unserved> {
  const newest = await ask()
  const oldestGiven = newest.reduce((least, { slot }) => Math.min(least, Date.parse(slot)), Number.POSITIVE_INFINITY)
  const rows = new Map(seen.map((row) => [row.slot, row]))
  const own = shardOf(digest)
  const there = slotsIn(newest, own)
  const left: { slot: string; time: number; isKnown: boolean }[] = []
  const slots: string[] = []
  const givenUp: string[] = []
  const divided: Begun[] = []
  const served: ServedBefore[] = []
  for (const time of times) {
    const slot = slotOf(time)
    const state = stateOf(rows.get(slot), own) ?? (there.served.has(slot) ? 'done' : undefined)
    // A slot that is only read isn't served yet: its tasks aren't in the sink.
    if (state === 'done') served.push(servedBefore(slot, rows.get(slot), there.served.get(slot)))
    else if (state === 'discarded' || state === 'lost') givenUp.push(slot)
    else if (left.length === mostSlots) throw tooMany()
    else left.push({ slot, time, isKnown: state !== undefined })
  }
  for (const { slot, time, isKnown } of left) {
    // The oldest slot may have more receipts than were returned, and so may earlier ones.
    const mayHave = !isKnown && newest.length > 0 && time <= oldestGiven
    const has = mayHave ? slotsIn(await ask(slot), own) : there
    const begun = isKnown ? undefined : (has.begun.get(slot) ?? begunBy(rows.get(slot), own))
    if (!isKnown && has.served.has(slot)) served.push(servedBefore(slot, rows.get(slot), has.served.get(slot)))
    else if (begun) divided.push(begun)
    else if (!isKnown && newestDeletedSlot !== null && time <= Date.parse(newestDeletedSlot))
      throw new UsageError(`The outbox no longer knows whether the slot ${slot} was served, and the sink doesn't.`, {
        hint: `Its ledger has deleted runs up to the slot ${newestDeletedSlot}: let --from be later than that.`,
      })
    else slots.push(slot)
  }
  served.sort((a, b) => byTime(a.slot, b.slot))
  return { slots, served, givenUp, divided }
}

const ofRow = ({ shard }: SlotSeen): Shard => shardNamed(shard ?? '')

/** The state of a slot, as far as the outbox knows without the sink, which is asked about other numbers of shards. */
function stateOf(row: SlotSeen | undefined, { count }: Shard): SlotSeen['state'] | undefined {
  if (!row || ofRow(row).count === count) return row?.state
  const isSure = row.state === 'discarded' || row.state === 'lost' || (row.state === 'done' && row.shard === null)
  return isSure ? row.state : undefined
}

/** A slot that this outbox began in another number of shards. */
function begunBy(row: SlotSeen | undefined, { count }: Shard): Begun | undefined {
  if (!row || row.persisted === 0 || row.state === 'missed' || row.state === 'covered') return undefined
  const its = ofRow(row)
  const missing = missingOf(its.count, (shard) => shard === its.index && row.state === 'done')
  return its.count === count ? undefined : { slot: row.slot, shards: its.count, missing }
}

type Counts = Pick<Receipt, 'dead' | 'rejected'>

function slotsIn(receipts: readonly Receipt[], own: Shard) {
  const { served, begun } = inSink(receipts, own)
  const counts = served.map(({ slot, shard, shards }): [string, Counts] => {
    // With another number of shards, all of its parts count.
    const isPart = (part: Receipt): boolean => part.shards === shards && (shards !== own.count || part.shard === shard)
    const parts = standing(receipts).filter((receipt) => receipt.slot === slot && isPart(receipt))
    const sum = (of: keyof Counts): number => sumOf(parts, (part) => part[of])
    return [slot, { dead: sum('dead'), rejected: sum('rejected') }]
  })
  return { served: new Map(counts), begun: new Map(begun.map((partial) => [partial.slot, partial])) }
}

/** If this outbox stored nothing of the slot, the dead letters in its receipt are those of another outbox. */
function servedBefore(slot: string, row: SlotSeen | undefined, receipt: Counts | undefined): ServedBefore {
  const { dead = 0, persisted = 0, rejected = receipt?.rejected ?? 0 } = row ?? {}
  return { slot, dead, deadElsewhere: persisted > 0 ? 0 : (receipt?.dead ?? 0), rejected }
}

/** Checks the slots again: those still to be served, and those that another process has served since. */
export async function stillUnserved(
  slots: readonly string[],
  { ledger, deadLetters }: Pick<Outbox, 'ledger' | 'deadLetters'>,
): Promise<{ slots: string[]; served: ServedBefore[] }> {
  const dead = await deadLetters.ofSlots(slots)
  const left: string[] = []
  const served: ServedBefore[] = []
  for (const slot of slots) {
    const current = currentOf(await ledger.ofSlot(slot)).filter(({ state }) => state !== 'missed')
    const last = current.at(-1)
    if (last && current.every(({ state }) => state === 'done'))
      served.push({ slot, dead: dead.get(slot) ?? 0, deadElsewhere: 0, rejected: last.rejected })
    else left.push(slot)
  }
  return { slots: left, served }
}

/** Why slots that were served before aren't in the sink as a whole. */
export function refusedIn(served: readonly ServedBefore[], sink: string, flag: string): OwmError[] {
  const bySlot = (count: 'dead' | 'deadElsewhere'): Map<string, number> =>
    new Map(served.filter((before) => before[count] > 0).map((before) => [before.slot, before[count]]))
  return [...refusedBefore(bySlot('dead'), sink), ...refusedElsewhere(bySlot('deadElsewhere'), flag)]
}

/** The most scheduled times of one backfill: a typo in a year mustn't start a day's work. */
const mostSlots = 10_000

const tooMany = (): UsageError =>
  new UsageError(`More than ${mostSlots} scheduled times lie between --from and --to.`, {
    hint: 'Serve them in several parts, each with its own --from and --to.',
  })

/** Opens the sink to ask for receipts; there are none if it keeps none. Throws TransientError if it doesn't answer. */
export async function askingSink<T>(
  { sink, pipeline, resilience, signal }: Asking,
  work: (ask: AskReceipts) => Promise<T>,
): Promise<T> {
  const open = await sink.open()
  try {
    const receipts = open.receipts?.bind(open)
    return await work(async (slot) => (receipts ? resilience.run(() => receipts(pipeline, slot), signal) : []))
  } finally {
    await open.close?.()
  }
}

/** A start for these slots, oldest first, and not for slots that became due meanwhile. */
export function backfill(slots: readonly string[], newestFirst: boolean, schedule: OnTime): Agenda {
  const { timetable } = schedule
  let isEntered = false
  return {
    slotGiven: true,
    once: true,
    newestFirst,
    upTo: Math.max(...slots.map((slot) => Date.parse(slot))),
    slots: async () => slots,
    enter: async ({ outbox, source, log }, settings) => {
      const nothing = { runs: [], covers: false, gaps: [] }
      if (isEntered) return nothing
      isEntered = true
      const newRun = { source: source.name, sourceDigest: source.digest, ...settings }
      const rows = (await Promise.all(slots.map((slot) => outbox.ledger.ofSlot(slot)))).flat()
      // Another process may have begun or served some meanwhile.
      const known = new Set(rows.filter(({ state }) => state !== 'missed').map(({ slot }) => slot))
      const fresh = slots.filter((slot) => !known.has(slot))
      const coveredTo = await outbox.ledger.coveredTo()
      const ahead = coveredTo === null ? undefined : fresh.find((slot) => Date.parse(slot) > coveredTo)
      // The interval of the first one must not cover what is due before it.
      if (ahead !== undefined) await enterDueTimes(schedule, newRun, { outbox, log }, Date.parse(ahead))
      const runs = fresh
        .filter((slot) => slot !== ahead)
        .map((slot) => ({ slot, from: timetable.at(Date.parse(slot) - 1) ?? Date.parse(slot) }))
      return outbox.ledger.startDue(newRun, () => ({ ...nothing, runs }))
    },
  }
}
