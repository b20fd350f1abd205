/**
 * The relay: delivers stored tasks, in order.
 *
 *     for each pending batch, in order of seq (from memory or from disk: the queue's business):
 *       when it is answered: acknowledge, or set the refused ones aside, or try again, or compare with the sink
 */
import { CircuitOpenError, FenceError, isOwmError, kindOf, type OwmError, RefusedError } from '../errors/index.js'
import type { Outcome, Sink } from '../plugin.js'
import type { Batch } from '../tasks/batch.js'
import { step } from '../trace.js'
import type { Feed } from './feed.js'
import { asOwmError, type Delivered, type Deps, type Progress } from './parts.js'

/** Hands stored tasks over, in order, until there are none and no more will come. */
export async function relay(
  deps: Deps,
  { feed, limit, delivered, progress }: { feed: Feed; limit: number; delivered: Delivered; progress: Progress },
): Promise<void> {
  const { outbox, log, signal } = deps
  let left = limit
  let sink: Sink | undefined
  let resyncs = 0
  /** The batch behind the one that is waited for, on its way already: a sink that takes two never waits for owm. */
  let ahead: Sent | undefined
  try {
    for (;;) {
      if (signal.aborted || left <= 0) return
      // Both are taken before the look into the outbox, so that no news is missed during it.
      const { ended, news } = feed
      const sent: Sent | undefined = ahead
      ahead = undefined
      const batch: Batch | undefined = sent?.batch ?? (await outbox.queue.after(outbox.ackedSeq, left))
      if (!batch) {
        if (!ended) {
          await news
          continue
        }
        if (sink || outbox.ackedSeq === 0) return
      } else step('batch:loaded')
      // Also where nothing is pending: a sink that lost what it took shall have it again.
      if (!sink) {
        sink = await deps.sink.open()
        if (await reconcile(sink, deps)) continue
      }
      if (!batch) return
      if (!sent) deps.resilience.admit()
      // guard: sent-before-acknowledged
      const head = sent ?? new Sent(sink, batch, deps)
      const next = sink.takesTwo ? await outbox.queue.behind(batch, left - batch.count) : undefined
      if (next && !head.failed) ahead = new Sent(sink, next, deps)
      const done = await deliver(sink, head, ahead, deps).catch(async (error: unknown) => {
        ahead = undefined
        if (!(error instanceof FenceError) || ++resyncs > 3) throw error
        log.warn({ reason: error.message }, 'the sink and the outbox disagree: comparing')
        return undefined
      })
      if (!done) {
        await reconcile(sink, deps)
        continue
      }
      // What was on its way behind a batch that failed was sent in vain: that is no failure of its own.
      if (ahead?.failed) ahead = undefined
      if (done.refused.size > 0) await outbox.deadLetters.add(batch, done.refused)
      else await outbox.acknowledge(batch, sink.guarantee === 'exactly-once')
      step('batch:acknowledged')
      left -= batch.count
      delivered.delivered += done.delivered
      delivered.deduplicated += done.deduplicated
      delivered.refused += done.refused.size
      progress.delivered += batch.count
      deps.onProgress?.(progress)
    }
  } finally {
    await ahead?.answer
    step('flush:ended')
    delivered.evicted += sink?.evicted ?? 0
    await sink?.close?.()
    await outbox.breakers.save('sink', deps.resilience.save())
  }
}

/** Dead tasks aren't in the sink: nobody shall take such a run for a good one. */
export function refusals({ refused }: Delivered, { sink }: Deps): OwmError[] {
  if (refused === 0) return []
  return [
    new RefusedError(
      `The sink ${sink.name} refused ${refused} task${refused === 1 ? '' : 's'} for good: set aside as dead, the others went on.`,
      {
        hint: '`owm outbox inspect --state dead` says why; `owm outbox retry` puts them back, `owm outbox purge --dead` gives them up.',
      },
    ),
  ]
}

/** Finds what was lost on either side; true where the place to go on has changed. */
async function reconcile(sink: Sink, deps: Deps): Promise<boolean> {
  const { outbox, log } = deps
  const ask = sink.position?.bind(sink)
  if (!ask) return false
  const found = await outbox.reconcile(await attempt(() => ask(outbox.id), outbox.ackedSeq + 1, deps))
  if (found.kind === 'same') return false
  if (found.kind === 'copy') {
    log.warn(
      { outbox: outbox.path },
      'this outbox is an older or a second copy of one that the sink knows: it goes on under a new id',
    )
    await attempt(() => ask(outbox.id), outbox.ackedSeq + 1, deps)
  } else {
    log.warn(
      { lost: found.tasks, again: found.again },
      'the sink lost tasks that it had taken: those in the history are handed over again',
    )
  }
  return true
}

interface Answer {
  delivered: number
  deduplicated: number
  /** Index in the batch -> reason. */
  refused: Map<number, string>
}

/** A batch that was handed to the sink once. */
class Sent {
  readonly batch: Batch
  /** Never rejects: nobody may be waiting yet. */
  readonly answer: Promise<{ outcomes: readonly Outcome[] } | { error: unknown }>
  failed = false

  constructor(sink: Sink, batch: Batch, deps: Deps) {
    this.batch = batch
    step('batch:sent')
    this.answer = deliverOrSplit(sink, batch, deps).then(
      (outcomes) => ({ outcomes }),
      (error: unknown) => {
        this.failed = true
        return { error }
      },
    )
  }
}

/** Waits for a batch that was sent, and sends it again where that failed and may pass. */
async function deliver(sink: Sink, sent: Sent, behind: Sent | undefined, deps: Deps): Promise<Answer> {
  const { log } = deps
  const { batch } = sent
  let last: Sent | undefined = sent
  const outcomes = await attempt(
    async () => {
      const found = await (last ?? new Sent(sink, batch, deps)).answer
      last = undefined
      if ('outcomes' in found) return found.outcomes
      await behind?.answer // the sink is asked again only when it has no more on its hands
      throw found.error
    },
    batch.firstSeq,
    deps,
  )
  step('batch:answered')
  const result: Answer = { delivered: 0, deduplicated: 0, refused: new Map() }
  outcomes.forEach((outcome, index) => {
    if (outcome === 'delivered') result.delivered++
    else if (outcome === 'duplicate') result.deduplicated++
    else result.refused.set(index, outcome.refused)
  })
  if (result.refused.size > 0)
    log.error(
      { tasks: result.refused.size, firstSeq: batch.firstSeq },
      'the sink refused tasks for good: they are dead',
    )
  return result
}

/** A batch that is refused as a whole is halved until the refused tasks stand alone. */
async function deliverOrSplit(sink: Sink, batch: Batch, deps: Deps): Promise<readonly Outcome[]> {
  const { log } = deps
  try {
    return await sink.deliver(batch)
  } catch (error) {
    if (!isOwmError(error) || kindOf(error) !== 'refused') throw error
    if (batch.count === 1) return [{ refused: error.message }]
    log.debug({ firstSeq: batch.firstSeq, count: batch.count }, 'a batch was refused: its halves are tried')
    const middle = Math.ceil(batch.count / 2)
    const [first, second] = [batch.slice(0, middle), batch.slice(middle, batch.count)]
    return [...(await deliverOrSplit(sink, first, deps)), ...(await deliverOrSplit(sink, second, deps))]
  }
}

/** A call to the sink under retries and breaker; a failure is noted in the outbox at `seq`. */
async function attempt<T>(call: () => Promise<T>, seq: number, deps: Deps): Promise<T> {
  try {
    return await deps.resilience.run(call, deps.signal)
  } catch (thrown) {
    const error = asOwmError(thrown)
    if (!(error instanceof CircuitOpenError || error instanceof FenceError))
      await deps.outbox.noteFailure(seq, error.message)
    throw error
  }
}
