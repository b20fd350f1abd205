/**
 * `owm produce`, the heart of owm.
 *
 * Reader and relay run side by side. The reader stores batches and moves its run's checkpoint with them; the relay
 * delivers what is stored, in order. Either may fail without the other: without the sink, locations are still stored;
 * without the source, stored tasks are still delivered.
 *
 * The states of a run are in docs/protocol.md ("The outbox").
 */
import {
  ConfigurationError,
  errorKindOf,
  InputRejectedError,
  isOwmError,
  type OwmError,
  SourceError,
  TransientError,
  toError,
} from '../errors/index.js'
import type { RunRow } from '../outbox/outbox.js'
import type { Planned } from '../outbox/runs/intervals.js'
import type { Receipt } from '../plugin.js'
import { step } from '../trace.js'
import { plural } from '../words.js'
import { Contact } from './contact.js'
import { Feed } from './feed.js'
import { decideSuspects } from './input/duplicates.js'
import { endedOf, type LeftRejects, leftRejects } from './input/left-rejects.js'
import type { Positions } from './input/positions.js'
import { Rejects } from './input/rejects.js'
import { asOwmError, type Delivered, nothingDelivered, type ProduceDeps, type Progress } from './parts.js'
import { type ReaderOptions, readRun } from './reader.js'
import { relay } from './relay.js'
import type { Agenda, RunSettings } from './slots/agenda.js'
import { startAfterReceipts } from './slots/behind-receipts.js'
import { type Entered, type EnterOptions, enterRun } from './slots/enter.js'
import { type OtherList, otherListOf, readInstead, servedOtherwise } from './slots/other-list.js'
import { isEmpty, type Where, whereIs } from './slots/served-before.js'
import { leaveOtherShards } from './slots/shards.js'
import { refusedBefore, undelivered } from './undelivered.js'

export interface ProduceOptions extends RunSettings, Pick<EnterOptions, 'again' | 'replay'> {
  agenda: Agenda
  /** False: only store. */
  flush: boolean
  keepTasks: number
  keepRuns: number
}

export interface ProduceSummary extends Delivered {
  run: RunRow
  /** Every reason why not all that was read is in the sink; the first decides the exit code. */
  errors: OwmError[]
  /** What this process rejected. */
  rejects: Rejects
  /** What earlier starts rejected, in runs that this one finished. */
  earlier: readonly LeftRejects[]
  /** The last run of the same source, to compare with. */
  before: RunRow | undefined
  /** If the slot was served with another list. */
  otherList: OtherList | undefined
  /** The latest run of each slot that this start worked on: those that earlier starts left, and its own. */
  served: readonly RunRow[]
  /** Runs of earlier starts that stored nothing, which this start's run replaces. */
  missed: readonly RunRow[]
  /** What was due by the schedule; empty without one. */
  due: readonly Planned[]
  /** Whether the slot was read before, by an earlier start or another outbox, and wasn't read now. */
  isReadBefore: boolean
}

/** What a start collects while it works. */
class Work {
  readonly feed = new Feed()
  readonly errors: OwmError[] = []
  readonly progress: Progress = { read: 0, delivered: 0, total: undefined }
  readonly delivered = nothingDelivered()
  readonly rejects = new Rejects()
  /** What was due by the schedule. */
  readonly due: Planned[] = []
  readonly contact: Contact

  constructor(deps: ProduceDeps) {
    this.contact = new Contact(deps)
  }
}

/** Finishes what earlier runs left; then reads every location of the source, stores its task and delivers it. */
export async function produce(options: ProduceOptions, deps: ProduceDeps): Promise<ProduceSummary> {
  const { outbox } = deps
  const left = await leftRejects(await outbox.ledger.unfinished(), outbox)
  const work = new Work(deps)
  const { delivered, due, errors, rejects } = work
  const entered = await enterSlots(options, deps, work)
  const { run, isReadBefore, missed, unfinished } = entered
  const isRelayed = await readAndRelay(options, deps, entered, work)
  // Delete nothing that hasn't been compared with the sink.
  if (isRelayed && !deps.signal.aborted)
    await outbox.retain({ tasks: options.keepTasks, runs: options.keepRuns, slot: run.slot })
  await outbox.settle()
  step('settled')
  const ofSlot = await outbox.ledger.ofSlot(run.slot)
  const read = readInstead(run, ofSlot)
  errors.push(...(await undelivered(delivered, deps)))
  const earlierSlots = [...unfinished, ...slotsOf(due)]
  // guard: dead-told-again
  if (options.flush && delivered.refused === 0)
    errors.push(...refusedBefore(await outbox.deadLetters.ofSlots([...earlierSlots, run.slot]), deps.sink.name))
  deps.onRun?.(read)
  return {
    ...delivered,
    run: read,
    otherList: otherListOf(read, ofSlot),
    errors,
    rejects,
    earlier: await endedOf(left, outbox),
    before: await outbox.ledger.before(read),
    served: await outbox.ledger.latestOf(earlierSlots),
    missed,
    due,
    isReadBefore,
  }
}

/** Reads the open runs to their end and delivers what is stored, side by side. Returns whether the relay succeeded. */
async function readAndRelay(
  options: ProduceOptions,
  deps: ProduceDeps,
  { run, isReadBefore, receipts }: Entered & { receipts: readonly Receipt[] },
  work: Work,
): Promise<boolean> {
  const { contact, errors, feed } = work
  const relayed = async (): Promise<boolean> => {
    if (!options.flush) return false
    try {
      await relay(deps, { ...work, limit: Number.POSITIVE_INFINITY })
      return true
    } catch (error) {
      errors.push(asOwmError(error))
      return false
    }
  }
  const relaying = relayed()
  try {
    await finishOpenRuns(options, deps, work)
    const { namespace, cadence } = options
    const otherwise = isReadBefore ? servedOtherwise(run, receipts, deps, { namespace, cadence }) : undefined
    const error = await otherwise?.catch(asOwmError)
    if (error) errors.push(error)
  } finally {
    feed.end()
    await relaying
    // Otherwise the relay has closed it.
    if (!options.flush) await contact.close()
  }
  return relaying
}

const slotsOf = (due: readonly Planned[]): string[] => due.flatMap(({ runs }) => runs.map(({ slot }) => slot))

/** Tries to read each open run to its end, once. What becomes due meanwhile doesn't wait for all of them. */
async function finishOpenRuns(options: ProduceOptions, deps: ProduceDeps, work: Work): Promise<void> {
  const { agenda } = options
  const { ledger } = deps.outbox
  const { due, errors } = work
  const inOrder = (open: RunRow[]): RunRow[] => (agenda.newestFirst ? newestFirst(open) : open)
  // guard: open-runs-finished
  let open = inOrder(await ledger.open())
  for (let next = open.shift(); next && !deps.signal.aborted; next = open.shift()) {
    const error = await finishRun(next, deps, work)
    if (error) errors.unshift(error)
    if (errorKindOf(error) === 'configuration') return
    // After an error, a run that was tried is still open, and would be tried again.
    const isWell = errors.length === 0 && !deps.signal.aborted
    if (isWell && (await enterDue(options, agenda, deps, due))) open = inOrder(await ledger.open())
  }
}

/** Enters this start's slots; also returns the slots of all unfinished runs. Closes the sink only if it throws. */
async function enterSlots(
  { agenda, namespace, cadence, ...options }: ProduceOptions,
  deps: ProduceDeps,
  { contact, due }: Work,
): Promise<Entered & { unfinished: string[]; receipts: readonly Receipt[] }> {
  const { outbox, source, schedule } = deps
  try {
    if (options.flush) await contact.announce()
    // A copy must find out that it is one.
    if (schedule && options.flush) await contact.makeInTime()
    // guard: behind-receipts
    if (schedule) await startAfterReceipts({ ...deps, schedule }, contact, { namespace, cadence }, agenda.upTo)
    const slots = await agenda.slots(deps)
    const slot = slots.at(-1) ?? '' // this start's own
    await leaveOtherShards(outbox, source, slot)
    const where = (each: string): Promise<Where> => whereIs(each, { ...options, namespace }, deps, contact)
    const begun = schedule ? (await outbox.ledger.open()).filter(isEmpty).map((run) => run.slot) : []
    const others = new Set([...slots.slice(0, -1), ...begun])
    others.delete(slot)
    for (const other of others) await where(other) // notes those that are served, or throws
    const found = await where(slot)
    await enterDue({ namespace, cadence }, agenda, deps, due)
    const { slotGiven } = agenda
    const again = options.again || found.isReceiptGone
    // guard: receipt-gone
    const once = (agenda.once && !found.isReceiptGone) || found.isServed
    const from = schedule?.timetable.at(Date.parse(slot) - 1)
    const { isElsewhere } = found
    const entered = await enterRun(
      { ...options, again, namespace, cadence, slot, slotGiven, from, once, isElsewhere },
      deps,
    )
    const { run } = entered
    step('run:started')
    deps.onRun?.(run)
    deps.log.info({ event: 'run-started', runId: run.runId, slot: run.slot }, 'a run begins')
    const unfinished = (await outbox.ledger.unfinished()).map((each) => each.slot)
    return { ...entered, unfinished, receipts: found.receipts }
  } catch (error) {
    await contact.close()
    throw error
  }
}

/** Creates the rows of what is due by now, and appends them to `due`; false if nothing is. */
async function enterDue(settings: RunSettings, agenda: Agenda, deps: ProduceDeps, due: Planned[]): Promise<boolean> {
  const entered = await agenda.enter?.(deps, settings)
  if (entered) due.push(entered)
  return entered !== undefined && entered.runs.length > 0
}

/** First the runs that stored something; then the others, newest first, so that the current slot doesn't wait. */
function newestFirst(open: readonly RunRow[]): RunRow[] {
  const isFresh = ({ state, persisted }: RunRow): boolean => state === 'reading' && persisted === 0
  return [...open.filter((run) => !isFresh(run)), ...open.filter(isFresh).reverse()]
}

interface FinishOptions extends ReaderOptions {
  contact: Contact
  /** How often this start began to read the slot again. */
  restarts?: number
}

/** The most restarts of a slot in one start: a list that keeps changing is left to the next start. */
const mostRestarts = 3

/** Brings a run from its present state to `read`; returns why it couldn't. */
async function finishRun(run: RunRow, deps: ProduceDeps, options: FinishOptions): Promise<OwmError | undefined> {
  const { outbox, source } = deps
  const conflicts = options.rejects.conflicts
  const readBefore = options.progress.read
  let positions: Positions | undefined
  deps.onRun?.(run)
  try {
    // guard: left-out
    outbox.intake.leaveOut(run.leavesOut === 1 ? await options.contact.idsInSink() : undefined)
  } catch (thrown) {
    return deps.signal.aborted ? undefined : asOwmError(thrown) // the sink's
  }
  try {
    if (run.state === 'reading') {
      if (run.sourceDigest !== source.digest) {
        if (run.checkpoint !== null)
          return await restart(run, 'the configuration of the source has changed', deps, options)
        // guard: digest-with-checkpoint
        await outbox.ledger.readBy(run, { source: source.name, sourceDigest: source.digest })
      }
      try {
        positions = await readRun(run, deps, options)
      } catch (error) {
        if (!isOwmError(error, 'RESUME_POINT') || (options.restarts ?? 0) >= mostRestarts) throw error
        return await restart(run, error.message, deps, options)
      }
    }
    await decideSuspects(run, outbox, { rejects: options.rejects, positions })
    options.feed.notify()
    return conflictIn(run, options.rejects.conflicts - conflicts)
  } catch (thrown) {
    if (deps.signal.aborted) return undefined
    const read = run.read + options.progress.read - readBefore
    const error = sourceFailure(thrown, run, deps, read)
    await outbox.ledger.noteFailure(run, error.message)
    return error
  }
}

/** The error of a list that isn't the one that the slot was served with. */
function conflictIn({ slot }: RunRow, conflicts: number): OwmError | undefined {
  if (conflicts === 0) return undefined
  const which = plural(conflicts, 'location has an id', 'locations have ids')
  return new InputRejectedError(`${which} under which the slot ${slot} has another place already.`, {
    hint:
      'A slot is served with one list: let another list, or a changed one, serve the next slot; ' +
      'where two pipelines share an outbox or a stream, give each a taskNamespace.',
  })
}

/**
 * The error of a run whose source failed. Throws errors of the outbox: they end the start.
 *
 * @param read locations that the run has read, in this start and before
 */
function sourceFailure(thrown: unknown, run: RunRow, { source, log }: ProduceDeps, read: number): OwmError {
  // An error that owm raises names the source already; one about the checkpoint doesn't.
  const isNamed = isOwmError(thrown) && !isOwmError(thrown, 'RESUME_POINT')
  const error = isNamed ? thrown : new TransientError(`The source ${source.name} failed: ${toError(thrown).message}`)
  const kind = errorKindOf(error)
  const isConfiguration = kind === 'configuration'
  if (kind === 'input' || error instanceof SourceError || (isConfiguration && read === 0)) return error
  if (kind !== 'transient' && !isConfiguration) throw error
  log.debug({ event: 'source-failed', err: thrown }, 'the source failed')
  const then = isConfiguration ? 'once that is fixed, the next' : 'the next'
  const soFar = `${plural(read, 'location')} of slot ${run.slot}`
  const next = `What was read is safe: ${soFar}; ${then} \`owm produce\` brings the rest, and nothing twice.`
  // What was read is delivered all the same: it must not look like the whole list.
  // The hint of an open circuit says what to do itself.
  const isOpen = isOwmError(error, 'CIRCUIT_OPEN') && error.hint !== undefined
  const hint = [error.hint, isOpen ? undefined : next].filter(Boolean).join(' ')
  const options = { hint, cause: thrown }
  return isConfiguration ? new ConfigurationError(error.message, options) : new SourceError(error.message, options)
}

/** Closes a run that can't be continued, and reads its slot from the start: what it stored is a duplicate then. */
async function restart(
  run: RunRow,
  reason: string,
  deps: ProduceDeps,
  options: FinishOptions,
): Promise<OwmError | undefined> {
  const { outbox, source, log } = deps
  const { runId, slot } = run
  log.warn({ event: 'run-read-anew', runId, slot, reason }, 'an interrupted run is read again from the start')
  const next = await outbox.ledger.supersede(run, { source: source.name, sourceDigest: source.digest })
  await decideSuspects(run, outbox, options)
  return finishRun(next, deps, { ...options, restarts: (options.restarts ?? 0) + 1 })
}
