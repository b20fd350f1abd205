/** `owm verify`: whether outbox, receipts and sink agree about each slot. */
import type { Loaded } from '../../../../config/load.js'
import { ConfigurationError, DifferentError, type OwmError, UsageError } from '../../../../errors/index.js'
import type { OwnSlots } from '../../../../outbox/inspect/ids/own-slots.js'
import { addressNoted } from '../../../../pipeline/parts.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import { byTime, type Shard, shardNamed, shardOf } from '../../../../tasks/slot.js'
import type { Done } from '../../../command.js'
import { type Surroundings, sourceOf } from '../../../compose.js'
import { slotNamed } from '../../../flags.js'
import { count } from '../../../format.js'
import { ownerOf } from '../../../owner.js'
import { addressOf, withSink } from '../sink.js'
import { standInOf } from '../stand-in.js'
import type { Verified } from './judge.js'
import { isDifferent, verdictsInWords } from './report.js'
import { remedyOf, type TimesWithoutRun, timesWithoutRun } from './times.js'

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

/** The slot that is compared with the source, and the task ids of the list. */
interface Listed {
  readonly slot: string
  /** As in OwnSlot. */
  readonly shard: string
  readonly ids: readonly string[]
  /** Whether an unchanged list has just these ids. If not, the windows of the slot's run aren't known. */
  readonly isSure: boolean
}

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
    const { redeliverableMs } = await import('../../../../outbox/chain/lost.js')
    const flushedSince = around.now() - redeliverableMs
    const shard = await shardOfOutbox(path, loaded, around.env)
    const isLatest = loaded.settings.schedule?.catchUp === 'latest'
    const address = addressNoted(sink, name)
    const attempt = () => compare(sink, { path, slot, pipeline, address, flushedSince, shard, isLatest }, listed)
    let seen = await attempt()
    // A concurrent run may have added tasks, and the bound trimmed some, meanwhile: compare again if slots differ.
    for (let again = 0; again < 2 && seen.slots.some(isDifferent); again++) {
      const before = JSON.stringify(seen.slots.map(({ differences }) => differences))
      seen = await attempt()
      if (JSON.stringify(seen.slots.map(({ differences }) => differences)) === before) break
    }
    result.sink.entries = seen.entries
    result.slots = seen.slots
    const slots = seen.slots.map((one) => one.slot)
    const times = named === undefined ? await timesWithoutRun({ ...seen, slots }, loaded, around) : undefined
    if (times) result.withoutRun = times
  })
  result.different = result.slots.filter(isDifferent).length
  return { result, summary: await verdictsInWords(result, flags.limit, isOnce), errors: errorsOf(result) }
}

interface Compared {
  path: string
  slot?: string | undefined
  pipeline: string
  address: string
  flushedSince: number
  /** The shard that the outbox serves now. */
  shard: Shard
  /** Whether a run stands in for earlier times (`catchUp: latest`). */
  isLatest: boolean
}

/** Compares all three once, slot by slot. */
async function compare(
  sink: Sink,
  { path, slot, pipeline, address, flushedSince, shard, isLatest }: Compared,
  listed: Listed | undefined,
): Promise<{ slots: Verified[]; entries: number; elsewhere: string[]; isHeld: boolean }> {
  const [{ ownSlotsIn }, { scan }, { idsBySlot, judge, lacking, notThere }, { inSink }] = await Promise.all([
    import('../../../../outbox/inspect/ids/own-slots.js'),
    import('./scan.js'),
    import('./judge.js'),
    import('../../../../pipeline/slots/in-sink.js'),
  ])
  const room = listed?.ids.length ?? 0
  const ours = await ownSlotsIn(path, { slot, pipeline, address, room })
  const receipts = await receiptsOf(sink, pipeline, slot, ours)
  const sinkSlots = inSink(receipts.all, shard)
  const more = { elsewhere: sinkSlots.served.map((receipt) => receipt.slot), isHeld: ours?.isHeld === true }
  if (!ours || ours.slots.length === 0) {
    let entries = 0
    for await (const _ of sink.entries?.() ?? []) entries++
    return {
      slots: slot === undefined ? [] : [notThere(slot, receipts.all, sinkSlots, shard.join('/'))],
      entries,
      ...more,
    }
  }
  const listedIndex = listed
    ? ours.slots.findIndex((one) => one.slot === listed.slot && one.shard === listed.shard)
    : -1
  for (const id of listedIndex < 0 ? [] : (listed?.ids ?? [])) ours.ids.list(id, listedIndex)
  const isStoodInFor = (time: string, [index, count]: Shard): boolean =>
    receipts.all.some(
      ({ shard: its, shards, interval }) =>
        its === index &&
        shards === count &&
        interval &&
        byTime(interval.from, time) < 0 &&
        byTime(time, interval.to) < 0,
    )
  const scanned = await scan(sink, ours, receipts.own)
  const ids = idsBySlot(ours.ids, ours.slots.length, listedIndex)
  const slots = ours.slots.flatMap((one, number) => {
    const [found, own, isServed] = [scanned.found[number], ids[number], receipts.isServed[number] === true]
    if (!found || !own) return []
    const isListed = number === listedIndex
    const isEmpty = scanned.entries === 0
    const list = isListed && listed?.isSure ? listed.ids : undefined
    const judged = judge({
      own: one,
      found,
      ids: own,
      sink,
      isServed,
      isHeld: more.isHeld,
      isListed,
      list,
      isEmpty,
      flushedSince,
    })
    const begun = sinkSlots.begun.find((other) => other.slot === one.slot && other.shards === shardNamed(one.shard)[1])
    const missing = begun?.missing.filter((index) => !isLatest || !isStoodInFor(one.slot, [index, begun.shards]))
    const isOver = judged.state === 'same' || judged.state === 'unproven'
    return [begun && missing?.length && isOver ? lacking(judged, { ...begun, missing }) : judged]
  })
  return { slots, entries: scanned.entries, ...more }
}

/** The configured shard, or else the one that the outbox served last. */
async function shardOfOutbox(path: string, { settings }: Loaded, env: Surroundings['env']): Promise<Shard> {
  const [{ chosenShard }, { lastRunIn }] = await Promise.all([
    import('../../../../config/filters.js'),
    import('../../../../outbox/inspect/ids/own-slots.js'),
  ])
  const chosen = chosenShard(settings, env)
  if (chosen) return [chosen.index, chosen.count]
  return shardOf((await lastRunIn(path, undefined))?.run.sourceDigest ?? '')
}

/** The receipts of the outbox's slots, each for its own shard, and which slots any receipts say are served. */
async function receiptsOf(
  sink: Sink,
  pipeline: string,
  slot: string | undefined,
  ours: OwnSlots | undefined,
): Promise<{ own: (Receipt | undefined)[]; isServed: boolean[]; all: readonly Receipt[] }> {
  const { inSink } = await import('../../../../pipeline/slots/in-sink.js')
  const all = (await sink.receipts?.(pipeline, slot)) ?? []
  const own: (Receipt | undefined)[] = []
  const isServed: boolean[] = []
  for (const one of ours?.slots ?? []) {
    const isOwn = (receipt: Receipt): boolean =>
      receipt.slot === one.slot && `${receipt.shard}/${receipt.shards}` === (one.shard || '0/1')
    // Without a slot, the sink gives only the receipts of the newest slots.
    const older = slot === undefined && !all.some(isOwn) ? ((await sink.receipts?.(pipeline, one.slot)) ?? []) : []
    const ofSlot = [...all, ...older].filter((receipt) => receipt.slot === one.slot)
    own.push(ofSlot.find(isOwn))
    isServed.push(inSink(ofSlot, shardNamed(one.shard)).served.length > 0)
  }
  return { own, isServed, all }
}

/** The list's task ids for the slot, or for the newest one. Throws UsageError if the outbox has another shard. */
async function listedIn(
  path: string,
  slot: string | undefined,
  loaded: Loaded,
  around: Surroundings,
): Promise<Listed | undefined> {
  const [{ lastRunIn }, { listedIds }, { shardNameIn }] = await Promise.all([
    import('../../../../outbox/inspect/ids/own-slots.js'),
    import('./list.js'),
    import('../../../../tasks/slot.js'),
  ])
  const last = await lastRunIn(path, slot)
  if (!last) return undefined
  const source = await sourceOf(loaded, around, () => undefined)
  const [shard, own] = [shardNameIn(last.run.sourceDigest), shardNameIn(source.digest)]
  if (shard !== own) {
    const whole = shard === '' ? 'without --shard' : `with --shard ${shard}`
    throw new UsageError(`The slot ${last.run.slot} was read ${whole}, and the list would be read otherwise.`, {
      hint: `Run \`owm verify --source\` ${whole}.`,
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
    hint: `${remedyOf(times)}.`,
  })
