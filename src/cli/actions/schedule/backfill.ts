/** `owm backfill`: serves the scheduled times of a range that no run has served. */
import { cadenceKept, ownShardFlag } from '../../../config/filters.js'
import type { Loaded } from '../../../config/load.js'
import { type OwmError, TransientError, UsageError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import { slotsIn } from '../../../outbox/inspect/ledger/slots.js'
import type { Outbox } from '../../../outbox/outbox.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import {
  backfill as agendaOf,
  askingSink,
  refusedIn,
  type ServedBefore,
  stillUnserved,
  type Unserved,
  unserved,
} from '../../../pipeline/slots/backfill.js'
import type { OnTime } from '../../../pipeline/slots/on-time.js'
import type { Done } from '../../command.js'
import {
  type ChosenSource,
  lookAtOutbox,
  mustHaveSchedule,
  onTimeOf,
  openOutbox,
  resilienceOf,
  type Surroundings,
  sinkOf,
  sourceOf,
} from '../../compose.js'
import { slotNamed, type WaitFlags, waitMsOf } from '../../flags.js'
import { count, leftIn, plural, seconds, stopwatch, tasksDelivered } from '../../format.js'
import { ownerOf } from '../../owner.js'
import { type DeliveryResult, noteDelivered, noteNames, nothingSent, slotsInWords, withOutbox } from '../delivery.js'
import { mustNotBeFar, run } from '../produce/produce.js'
import { logAllRejects, rejectedBefore, rejections } from '../rejects.js'
import { warnLeftBehind, warnMissed } from '../warnings.js'

/** What `owm backfill --json` prints. */
export interface BackfillResult extends DeliveryResult {
  from: string | null
  to: string | null
  /** The scheduled times that it serves (with `--dry-run`: would serve), oldest first. */
  slots: string[]
  /** Scheduled times of the range that were served before. */
  alreadyServed: number
  /** Slots that were discarded, or that the sink lost: only `produce --slot TIME --again` serves them. */
  givenUp: string[]
  /** Slots that were served in part, with another number of shards, and the shards that are missing. */
  divided: { slot: string; shards: number; missing: readonly number[] }[]
  source: { name: string | null; rejected: number }
}

interface BackfillFlags extends WaitFlags {
  from: string
  to: string
  order: 'oldest' | 'newest'
  strict: boolean
  force: boolean
  'dry-run': boolean
}

export const nothingBackfilled = (): BackfillResult => ({
  from: null,
  to: null,
  slots: [],
  alreadyServed: 0,
  givenUp: [],
  divided: [],
  source: { name: null, rejected: 0 },
  ...nothingSent(),
})

/** Fills `result` while it works, so that it says what was done even if an error ends it. */
export async function backfill(
  result: BackfillResult,
  flags: BackfillFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<BackfillResult>> {
  const elapsed = stopwatch()
  const [from, to] = [slotNamed('--from', flags.from), slotNamed('--to', flags.to)]
  if (Date.parse(from) > Date.parse(to))
    throw new UsageError(`--from ${from} is later than --to ${to}.`, { hint: 'Give the earlier time to --from.' })
  Object.assign(result, { from, to })
  const waitMs = waitMsOf(flags)
  const loaded = await configure()
  const schedule = onTimeOf(mustHaveSchedule(loaded), around)
  mustNotBeFar(to, schedule, '--to')
  const cadence = await cadenceKept(loaded)
  const flag = ownShardFlag(loaded.settings, around.env)
  noteNames(result, loaded)
  let outbox: Outbox | undefined
  const source = await sourceOf(loaded, around, () => outbox)
  const sink = await sinkOf(loaded, around)
  const { slots, served, givenUp, divided } = await slotsToServe(result, { source, sink, schedule }, loaded, around)
  Object.assign(result, { slots, alreadyServed: served.length, givenUp, divided })
  const unservedErrors = (before: readonly ServedBefore[]): OwmError[] =>
    compact(
      divided.length > 0 && partlyThere(divided),
      ...refusedIn(before, sink.name, flag),
      ...(flags.strict ? rejectedBefore(source.name, before, flag) : []),
    )
  const done = (errors: OwmError[]): Done<BackfillResult> => {
    result.durationMs = elapsed()
    const summary = [...(flags['dry-run'] ? result.slots : []), backfillInWords(result, flags['dry-run'], flag)]
    return { result, summary, errors }
  }
  if (flags['dry-run'] || slots.length === 0) return done(unservedErrors(served))

  const opened = await openOutbox(loaded, around, { waitMs, create: true, as: 'owner' })
  outbox = opened
  const serve = async (watched: Surroundings): Promise<Done<BackfillResult>> => {
    const parts = { source, sink, outbox: opened }
    const { before, errors } = await serveSlots(result, flags, { schedule, cadence, parts, loaded }, watched)
    return done([...errors, ...unservedErrors([...served, ...before])])
  }
  return withOutbox(opened, result, around, serve)
}

interface Serving {
  readonly schedule: OnTime
  readonly cadence: string | null
  readonly parts: { source: ChosenSource; sink: SinkDeps; outbox: Outbox }
  readonly loaded: Loaded
}

/** Serves `result.slots`. Returns its errors, and the slots that turned out to be served when the outbox was opened. */
async function serveSlots(
  result: BackfillResult,
  { order, force, strict }: BackfillFlags,
  { schedule, cadence, parts, loaded }: Serving,
  around: Surroundings,
): Promise<{ before: readonly ServedBefore[]; errors: OwmError[] }> {
  const { source, outbox } = parts
  const unserved = await stillUnserved(result.slots, outbox)
  const before = unserved.served
  result.slots = unserved.slots
  result.alreadyServed += before.length
  if (result.slots.length === 0) {
    result.outbox.pending = outbox.pending
    return { before, errors: [] }
  }
  const agenda = agendaOf(result.slots, order === 'newest', schedule)
  await warnLeftBehind(outbox, loaded, around)
  if (force) await outbox.breakers.save('source', undefined)
  const summary = await run({ agenda, cadence, flush: true }, loaded, parts, around)
  await noteDelivered(result, summary, outbox)
  result.source.rejected = summary.rejects.count
  await logAllRejects(summary, result.served, outbox, around)
  await warnMissed(summary.missed, around)
  const rejected = strict ? rejections(source.name, summary.rejects, `slots ${result.from} to ${result.to}`) : []
  return { before, errors: [...summary.errors, ...rejected] }
}

/** Which of the times no run has served. Reads only. */
async function slotsToServe(
  { from, to, outbox }: BackfillResult,
  { source, sink, schedule }: { source: ChosenSource; sink: SinkDeps; schedule: OnTime },
  loaded: Loaded,
  around: Surroundings,
): Promise<Unserved> {
  const totals = await lookAtOutbox(loaded, around, 'owner')
  if (totals) Object.assign(outbox, { pending: totals.pending, dead: totals.dead })
  const seen = await slotsIn(outbox.path ?? '')
  const pipeline = await ownerOf(loaded, around.env)
  const resilience = await resilienceOf(loaded, around, 'sink', undefined)
  const last = Math.min(Date.parse(to ?? ''), around.now())
  const times = schedule.timetable.between(Date.parse(from ?? '') - 1, last)
  const parts = { sink, pipeline, resilience, signal: around.signal }
  return askingSink(parts, (ask) => unserved(times, seen, ask, source))
}

/** The error for slots that can't be served with this number of shards. */
function partlyThere(divided: Unserved['divided']): TransientError {
  const named = divided.map(({ slot, shards, missing }) => `${slot} (shard ${missing.join(', ')} of ${shards})`)
  const [first] = divided
  const example = first ? `\`owm produce --slot ${first.slot} --shard ${first.missing[0]}/${first.shards}\`` : ''
  const slots = divided.length === 1 ? 'A slot is' : `${count(divided.length)} slots are`
  const more = named.length > mostNamed ? ', …' : ''
  const which = named.slice(0, mostNamed).join(', ')
  return new TransientError(`${slots} there in part, in another number of shards; what is missing: ${which}${more}.`, {
    hint: `${example}, with the outbox of that shard or a new one, serves what lacks; \`owm flush\` what is stored.`,
  })
}

/** Slots that an error names. */
const mostNamed = 10

function backfillInWords(result: BackfillResult, isDry: boolean, flag: string): string {
  const { slots, alreadyServed, givenUp, source, sink, outbox, durationMs } = result
  const none = slots.length === 0
  const toServe = `${plural(slots.length, 'slot')} ${isDry ? 'would be served' : 'to serve'}`
  // A shard's outbox may have slots that were served in another number of shards.
  const command = flag === '' ? '`owm produce --slot TIME --again`' : 'the command that `owm runs show TIME` names'
  const again = `discarded or lost (${command} serves such a slot)`
  return compact(
    none ? 'no scheduled time to serve' : toServe,
    alreadyServed > 0 && `${count(alreadyServed)} served already`,
    givenUp.length > 0 && `${count(givenUp.length)} ${again}`,
    result.divided.length > 0 && `${count(result.divided.length)} there in part, in another number of shards`,
    ...(isDry || none ? [] : tasksDelivered(sink)),
    source.rejected > 0 && `${count(source.rejected)} rejected`,
    ...leftIn(outbox),
    ...slotsInWords(result.served),
    !isDry && seconds(durationMs),
  ).join(', ')
}
