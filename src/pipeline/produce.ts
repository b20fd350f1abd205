/**
 * `owm produce`: what owm is for.
 *
 * Reader and relay run side by side. The reader stores batches and moves its run's checkpoint with them; the relay
 * delivers what is stored, in order. Either may fail without the other: a dead sink doesn't keep locations from being
 * stored, a dead source doesn't keep stored tasks from being delivered.
 *
 * A run moves through these states (see outbox/entities):
 *
 *     reading  -> checking  the source is read to its end, or can't be read on and another run takes its place
 *     checking -> read      each suspected duplicate is decided: all of the run's tasks are stored
 *     read     -> done      each of them is in the sink or dead
 */
import { isOwmError, kindOf, type OwmError, SinkLostError, SourceError, UsageError } from '../errors/index.js'
import type { Outbox, RunRow } from '../outbox/outbox.js'
import { step } from '../trace.js'
import { Contact } from './contact.js'
import { Feed } from './feed.js'
import { decideSuspects } from './input/duplicates.js'
import type { Positions } from './input/positions.js'
import { Rejects } from './input/rejects.js'
import { mustBeSameShards } from './input/same-shards.js'
import { losses } from './losses.js'
import { asOwmError, type Delivered, nothingDelivered, type ProduceDeps, type Progress } from './parts.js'
import { type ReaderOptions, readRun } from './reader.js'
import { refusals, relay } from './relay.js'

export interface ProduceOptions {
  slot: string
  /** Reads the slot again where it is lost, or no longer kept. */
  again?: boolean
  /** False: store, don't deliver. */
  flush: boolean
  keepTasks: number
  keepRuns: number
}

export interface ProduceSummary extends Delivered {
  run: RunRow
  /** Every reason why not everything that was read is in the sink; the first decides the exit code. */
  errors: OwmError[]
  /** What was rejected since this process began. */
  rejects: Rejects
  /** The last run of the same source, to compare with. */
  before: RunRow | undefined
  /** True where the slot's history is no longer kept, so that nothing was read. */
  alreadyComplete: boolean
}

/** Reads every location of the source, stores its task and delivers it; first finishes what earlier runs left. */
export async function produce(options: ProduceOptions, deps: ProduceDeps): Promise<ProduceSummary> {
  const { outbox } = deps
  const feed = new Feed()
  const errors: OwmError[] = []
  const progress: Progress = { read: 0, delivered: 0, total: undefined }
  const delivered = nothingDelivered()
  const rejects = new Rejects()

  const contact = new Contact(deps)
  const { run, complete } = await enterSlot(options, deps, contact)
  step('run:started')

  const relaying = options.flush
    ? relay(deps, { contact, feed, limit: Number.POSITIVE_INFINITY, delivered, progress }).then(
        () => true,
        (error: unknown) => {
          errors.push(asOwmError(error))
          return false
        },
      )
    : Promise.resolve(false)
  try {
    // guard: open-runs-finished
    const openRuns = await outbox.ledger.open()
    for (const open of openRuns) {
      const error = await finishRun(open, deps, { feed, progress, rejects })
      if (error) errors.unshift(error)
      if (deps.signal.aborted || kindOf(error) === 'configuration') break
    }
  } finally {
    feed.end()
    await relaying
  }
  // Nothing is deleted before it is compared with the sink.
  if ((await relaying) && !deps.signal.aborted)
    await outbox.retain({ tasks: options.keepTasks, runs: options.keepRuns, slot: options.slot })
  await outbox.settle()
  step('settled')
  errors.push(...refusals(delivered, deps), ...(await losses(outbox, delivered)))
  return {
    ...delivered,
    run: await outbox.ledger.run(run.runId),
    errors,
    rejects,
    before: await outbox.ledger.before(run),
    alreadyComplete: complete,
  }
}

async function enterSlot(
  options: ProduceOptions,
  deps: ProduceDeps,
  contact: Contact,
): Promise<{ run: RunRow; complete: boolean }> {
  try {
    if (options.flush) await contact.announce()
    if (options.flush && !options.again) await mustBeSameShards(options.slot, deps, contact)
    return await enterRun(options, deps)
  } catch (error) {
    await contact.close()
    throw error
  }
}

/** Finds or makes this slot's row in the run ledger. */
async function enterRun(options: ProduceOptions, deps: ProduceDeps): Promise<{ run: RunRow; complete: boolean }> {
  const { outbox, source, log } = deps
  const earlier = await outbox.ledger.ofSlot(options.slot)
  const open = earlier.find((run) => run.state === 'reading' || run.state === 'checking')
  if (open) return { run: open, complete: false }
  const last = earlier.at(-1)
  if (options.again) await mustBeGone(options.slot, earlier, outbox)
  else mustNotBeLost(options.slot, earlier)
  if (!options.again && last && (await outbox.intake.deletedOfSlot(options.slot)) > 0) {
    log.warn(
      { slot: options.slot, runId: last.runId },
      'this slot was delivered before and its history is no longer kept: nothing is read again',
    )
    return { run: last, complete: true }
  }
  const run = await outbox.ledger.start({
    slot: options.slot,
    source: source.name,
    sourceDigest: source.digest,
    again: options.again === true,
  })
  return { run, complete: false }
}

/** A slot that the sink has lost is not served by what the outbox remembers of it. Throws SinkLostError. */
function mustNotBeLost(slot: string, earlier: readonly RunRow[]): void {
  const lost = earlier.reduce((sum, run) => sum + run.lost, 0)
  if (lost === 0) return
  throw new SinkLostError(`The sink has lost ${lost} tasks of the slot ${slot}.`, {
    hint: `\`owm produce --slot ${slot} --again\` reads it again under the same task ids.`,
  })
}

/** Only what the sink has lost, or the outbox doesn't know or keep, is read again. Throws UsageError. */
async function mustBeGone(slot: string, earlier: readonly RunRow[], outbox: Outbox): Promise<void> {
  const isLost = earlier.some(({ state }) => state === 'lost')
  if (isLost || earlier.length === 0 || (await outbox.intake.deletedOfSlot(slot)) > 0) return
  throw new UsageError(`The slot ${slot} is served, and nothing of it is lost: it is not read again.`, {
    hint: '`owm outbox inspect` shows the runs that are lost.',
  })
}

/** Brings a run from wherever it stands to `read`; returns why it couldn't. */
async function finishRun(run: RunRow, deps: ProduceDeps, options: ReaderOptions): Promise<OwmError | undefined> {
  const { outbox, source } = deps
  let positions: Positions | undefined
  try {
    if (run.state === 'reading') {
      if (run.sourceDigest !== source.digest) {
        if (run.checkpoint !== null)
          return await readAnew(run, 'the configuration of the source has changed', deps, options)
        // guard: digest-with-checkpoint
        await outbox.ledger.readBy(run, { source: source.name, sourceDigest: source.digest })
      }
      try {
        positions = await readRun(run, deps, options)
      } catch (error) {
        if (!isOwmError(error, 'RESUME_POINT')) throw error
        return await readAnew(run, error.message, deps, options)
      }
    }
    await decideSuspects(run, outbox, { rejects: options.rejects, positions })
    options.feed.notify()
    return undefined
  } catch (thrown) {
    if (deps.signal.aborted) return undefined
    return sourceFailure(thrown, run, deps, options.progress)
  }
}

/** The error of a run whose source failed. The outbox's own trouble ends everything: it is thrown. */
function sourceFailure(thrown: unknown, run: RunRow, { source, log }: ProduceDeps, progress: Progress): OwmError {
  const error = asOwmError(thrown)
  const kind = kindOf(error)
  if (kind === 'configuration' || kind === 'input' || error instanceof SourceError) return error
  if (kind !== 'transient') throw error
  log.debug({ err: thrown }, 'the source failed')
  const next = 'What was read is safe; the next `owm produce` reads on where this one stopped.'
  // An open circuit says when it is asked again.
  const hint = isOwmError(error, 'CIRCUIT_OPEN') ? (error.hint ?? next) : next
  return new SourceError(
    `The source ${source.name} failed after ${progress.read} locations of slot ${run.slot}: ${error.message}`,
    { hint, cause: thrown },
  )
}

/** Closes a run that can't be read on and reads its slot again: what it stored already is then a duplicate. */
async function readAnew(
  run: RunRow,
  reason: string,
  deps: ProduceDeps,
  options: ReaderOptions,
): Promise<OwmError | undefined> {
  const { outbox, source, log } = deps
  log.warn({ runId: run.runId, slot: run.slot, reason }, 'an interrupted run is read anew, from the start')
  const fresh = await outbox.ledger.supersede(run, { source: source.name, sourceDigest: source.digest })
  await decideSuspects(run, outbox, options)
  return finishRun(fresh, deps, options)
}
