/** `owm verify`: whether outbox, receipts and sink agree about each slot. */
import { chosenShard, isSharded } from '../../../../config/filters.js'
import type { Loaded } from '../../../../config/load.js'
import { ConfigurationError, DifferentError, inOneText, type OwmError, UsageError } from '../../../../errors/index.js'
import { redeliverableMs } from '../../../../outbox/chain/lost.js'
import { lastRunIn } from '../../../../outbox/inspect/ids/own-slots.js'
import { owedElsewhere } from '../../../../outbox/inspect/ledger/owed.js'
import { addressNoted } from '../../../../pipeline/parts.js'
import type { Sink } from '../../../../plugin.js'
import { type Shard, shardFlag, shardNameIn, shardOf } from '../../../../tasks/shard.js'
import type { Done } from '../../../command.js'
import { onTimeIn, type Surroundings, sourceOf } from '../../../compose.js'
import { slotNamed } from '../../../flags.js'
import { count } from '../../../format.js'
import { ownerOf } from '../../../owner.js'
import { addressOf, withSink } from '../sink.js'
import { standInOf } from '../stand-in.js'
import { type Compared, compare, type Listed, type Which } from './compare.js'
import type { Difference } from './difference.js'
import type { Verified } from './judge.js'
import { listedIds } from './list.js'
import { isDifferent, verdictsInWords } from './report.js'
import { type TimesWithoutRun, timesWithoutRun } from './times.js'

/** What `owm verify --json` prints. */
export interface VerifyResult {
  outbox: string | null
  sink: { name: string | null; address: string | null; entries: number }
  /** With --source: which slot was compared with the list, and how many tasks the list has for it. */
  source?: { slot: string; tasks: number }
  /** The newest first, one per shard. */
  slots: Verified[]
  /** How many differ. */
  different: number
  /** With --slot: the slot that was named, and the one compared instead, whose run stands in for it. */
  standIn?: { slot: string; by: string }
  /** With a schedule, and without --slot. */
  withoutRun?: TimesWithoutRun
}

export interface VerifyFlags {
  slot?: string | undefined
  source: boolean
  limit: number
}

export const nothingVerified = (): VerifyResult => ({
  outbox: null,
  sink: { name: null, address: null, entries: 0 },
  slots: [],
  different: 0,
})

/** Fills `result` as it goes. */
export async function verify(
  result: VerifyResult,
  flags: VerifyFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<VerifyResult>> {
  const named = flags.slot === undefined ? undefined : slotNamed('--slot', flags.slot)
  const loaded = await configure()
  const { path } = loaded.settings.outbox
  result.outbox = path
  const by = named === undefined ? undefined : await standInOf(named, loaded, around)
  if (named !== undefined && by !== undefined) result.standIn = { slot: named, by }
  const slot = by ?? named
  const pipeline = await ownerOf(loaded, around.env)
  const listed = flags.source ? await listedIn(path, slot, loaded, around) : undefined
  if (listed) result.source = { slot: listed.slot, tasks: listed.ids.length }
  let isOnce = false
  await withSink(loaded, around, async (sink, name) => {
    isOnce = sink.guarantee === 'exactly-once'
    result.sink = { name, address: addressOf(sink), entries: 0 }
    if (!sink.entries)
      throw new ConfigurationError(`The sink ${name} doesn't show what it holds: there is nothing to compare.`, {
        hint: '`owm runs` shows what the outbox says of each run.',
      })
    const which = { ...(await termsOf(loaded, around)), slot, pipeline, address: addressNoted(sink, name) }
    const seen = await comparedAgain(() => compare(sink, which, listed))
    result.sink.entries = seen.entries
    result.slots = await withRefusal(seen.slots, path, sink, which.address)
    const times = named === undefined ? await timesWithoutRun({ ...seen, slots: seen.own }, loaded, around) : undefined
    if (times) result.withoutRun = times
  })
  result.different = result.slots.filter(isDifferent).length
  return { result, summary: await verdictsInWords(result, flags.limit, isOnce), errors: errorsOf(result) }
}

/** Where the outbox has tasks for another sink, what to do about that: no start delivers what waits until then. */
async function withRefusal(slots: readonly Verified[], path: string, sink: Sink, address: string): Promise<Verified[]> {
  const isWaiting = ({ kind }: Difference): boolean => kind === 'waiting'
  const isAsked = slots.some(({ differences }) => differences.some(isWaiting))
  const error = isAsked ? await owedElsewhere(path, { address, position: sink.position?.bind(sink) }) : undefined
  if (!error) return [...slots]
  const todo = inOneText(error.message, error.hint).replace(/\.$/, '')
  return slots.map((one) => ({
    ...one,
    differences: one.differences.map((each) => (isWaiting(each) ? { ...each, todo } : each)),
  }))
}

/** What decides how slots are compared, but for the sink. */
async function termsOf(loaded: Loaded, around: Surroundings): Promise<Omit<Which, 'slot' | 'pipeline' | 'address'>> {
  const { outbox, schedule } = loaded.settings
  const now = around.now()
  return {
    path: outbox.path,
    shard: await shardOfOutbox(outbox.path, loaded, around.env),
    isChosen: chosenShard(loaded.settings, around.env) !== undefined,
    isSharded: isSharded(loaded.settings),
    isLatest: schedule?.catchUp === 'latest',
    flushedSince: now - redeliverableMs,
    receiptsSince: now - (onTimeIn(loaded, around)?.maxAgeMs ?? redeliverableMs),
  }
}

/** While slots differ, compares up to twice more: a run may have added tasks meanwhile, and the bound trimmed some. */
async function comparedAgain(attempt: () => Promise<Compared>): Promise<Compared> {
  const differencesIn = ({ slots }: Compared): string => JSON.stringify(slots.map(({ differences }) => differences))
  let seen = await attempt()
  for (let again = 0; again < 2 && seen.slots.some(isDifferent); again++) {
    const before = differencesIn(seen)
    seen = await attempt()
    if (differencesIn(seen) === before) break
  }
  return seen
}

/** The configured shard, or else the one that the outbox served last. */
async function shardOfOutbox(path: string, { settings }: Loaded, env: Surroundings['env']): Promise<Shard> {
  return chosenShard(settings, env) ?? shardOf((await lastRunIn(path, undefined))?.run.sourceDigest ?? '')
}

/** The list's task ids for the slot, or for the newest one. Throws UsageError if the outbox has another shard. */
async function listedIn(
  path: string,
  slot: string | undefined,
  loaded: Loaded,
  around: Surroundings,
): Promise<Listed | undefined> {
  const last = await lastRunIn(path, slot)
  if (!last) return undefined
  const source = await sourceOf(loaded, around)
  const [shard, own] = [shardNameIn(last.run.sourceDigest), shardNameIn(source.digest)]
  if (shard !== own) {
    const whole = shard === '' ? 'without --shard' : `with --shard ${shard}`
    throw new UsageError(`The slot ${last.run.slot} was read ${whole}, and the list would be read otherwise.`, {
      hint: `Run \`owm verify --source${shardFlag(shard, own !== '')}\`.`,
    })
  }
  const isSure = last.run.cadence !== null || loaded.settings.cadence === undefined
  return { slot: last.run.slot, shard, ids: await listedIds(source, last.run, last.windows, around.signal), isSure }
}

function errorsOf({ slots, different, withoutRun }: VerifyResult): OwmError[] {
  const [first] = slots
    .filter(isDifferent)
    .flatMap(({ slot, differences }) => differences.map((one) => ({ slot, one })))
  const hint = first ? `For ${first.slot}: ${first.one.todo}.` : '`owm doctor` looks at the rest.'
  const message = different === 1 ? '1 slot differs: see above.' : `${count(different)} slots differ: see above.`
  return [
    ...(different > 0 ? [new DifferentError(message, { hint })] : []),
    // Missed times were reported when they were missed, and `owm backfill` is optional.
    ...(withoutRun && withoutRun.due.late > 0 ? [late(withoutRun)] : []),
  ]
}

const late = (times: TimesWithoutRun): OwmError =>
  new DifferentError(`Scheduled times that no start has come for: ${count(times.due.late)}.`, {
    hint: `${times.todo}.`,
  })
