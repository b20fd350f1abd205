/**
 * The relay: delivers stored tasks, in order.
 *
 *     for each pending batch, in order of seq (from memory or from disk: the queue's business):
 *       keep at most sink.maxInFlight in flight
 *       when it is answered: acknowledge, or set the refused ones aside, or try again, or compare with the sink
 *
 * The states of a batch that was sent; only the first of those in flight, the head, is waited for:
 *
 *     sent --taken--> acknowledged, its refused tasks dead
 *     sent --failed--> all that was sent after it is dropped; it is sent again, with retries
 *     sent --changed, but not linked to the last task taken--> sent again: no disagreement
 *     sent --changed otherwise--> the sink is compared with the outbox, and delivery continues from there
 *     sent --superseded--> the relay stops for good
 */
import { errorKindOf, isOwmError } from '../errors/index.js'
import { sumOf } from '../lists.js'
import type { Outcome } from '../plugin.js'
import type { Batch } from '../tasks/batch.js'
import { step } from '../trace.js'
import type { Contact } from './contact.js'
import type { Feed } from './feed.js'
import { excerpt } from './input/intake.js'
import { asOwmError, type Delivered, type Deps, type Progress } from './parts.js'
import { isTransient } from './retry.js'

/** A sink that needs more comparisons without getting any further keeps nothing: don't deliver everything twice. */
const maxComparisons = 10

interface RelayOptions {
  contact: Contact
  feed: Feed
  /** Tasks, at most. */
  limit: number
  delivered: Delivered
  progress: Progress
}

/** Delivers until nothing is pending and no more will come. Throws OwmError. */
export async function relay(deps: Deps, options: RelayOptions): Promise<void> {
  const { contact } = options
  try {
    await new Relay(deps, options).run()
  } catch (thrown) {
    const error = asOwmError(thrown)
    // Transient errors after an abort are caused by it.
    if (!deps.signal.aborted || !isTransient(error)) throw error
  } finally {
    step('relay:ended')
    options.delivered.evicted += contact.evicted
    await contact.show()
    await contact.close()
    await deps.outbox.breakers.save('sink', deps.resilience.save())
  }
}

/** A batch that was sent once. */
interface Sent {
  readonly batch: Batch
  /** Never rejects, as it may not be awaited yet. */
  readonly answer: Promise<{ outcomes: readonly Outcome[] } | { error: unknown }>
}

class Relay {
  readonly #deps: Deps
  readonly #options: RelayOptions
  readonly #contact: Contact
  #left: number
  #inFlight: Sent[] = []
  /** Since the sink last got further than ever before. */
  #comparisons = 0
  #furthest = 0

  constructor(deps: Deps, options: RelayOptions) {
    this.#deps = deps
    this.#options = options
    this.#contact = options.contact
    this.#left = options.limit
  }

  async run(): Promise<void> {
    try {
      do await this.#deliverPending()
      while (!this.#deps.signal.aborted && !(await this.#wroteReceipts()))
    } finally {
      await this.#letGo()
    }
  }

  async #deliverPending(): Promise<void> {
    const { signal } = this.#deps
    const { feed } = this.#options
    while (!signal.aborted && this.#left > 0) {
      // Both are read before the outbox, so that no news is missed meanwhile.
      const { ended, news } = feed
      await this.#fill()
      const [head] = this.#inFlight
      if (head) {
        const hasRoom = this.#inFlight.length < this.#contact.maxInFlight
        if (hasRoom && !ended && (await isFirst(news, head.answer))) continue
        await this.#finish(head)
      } else if (!ended) await news
      else if (!(await this.#mustGoOn())) return
    }
  }

  /** False if the sink turned out to lack tasks: then it was compared, and there may be more to deliver. */
  async #wroteReceipts(): Promise<boolean> {
    try {
      await this.#contact.writeReceipts()
      return true
    } catch (error) {
      await this.#compareAgain(error)
      return false
    }
  }

  /** Compares with the sink if the error asks for that; else throws it. */
  async #compareAgain(error: unknown): Promise<void> {
    const { ackedSeq } = this.#deps.outbox
    if (ackedSeq > this.#furthest) this.#comparisons = 0
    this.#furthest = Math.max(this.#furthest, ackedSeq)
    if (!isOwmError(error, 'CHANGED') || ++this.#comparisons > maxComparisons) throw error
    const fields = { event: 'sink-compared', reason: error.message }
    this.#deps.log.warn(fields, 'the sink and the outbox disagree: comparing')
    await this.#contact.compare()
  }

  /** Sends batches until as many are in flight as may be, or none is pending. */
  async #fill(): Promise<void> {
    const { outbox } = this.#deps
    for (;;) {
      const last = this.#inFlight.at(-1)?.batch
      const left = this.#left - sumOf(this.#inFlight, ({ batch }) => batch.count)
      if (left <= 0 || (last && this.#inFlight.length >= this.#contact.maxInFlight)) return
      const batch = last ? await outbox.queue.behind(last, left) : await outbox.queue.after(outbox.ackedSeq, left)
      if (!batch) return
      step('batch:loaded')
      // A comparison may change which batch is next.
      if (!last && (await this.#contact.make())) continue
      if (!last) this.#deps.resilience.admit()
      // guard: one-writer
      await outbox.checkEpoch()
      // guard: sent-before-acknowledged
      this.#inFlight.push(this.#send(batch, last))
    }
  }

  #send(batch: Batch, behind: Batch | undefined): Sent {
    const linked = this.#contact.link(batch, behind)
    step('batch:sent')
    const answer = this.#deliver(linked).then(
      (outcomes) => ({ outcomes }),
      (error: unknown) => ({ error }),
    )
    return { batch: linked, answer }
  }

  /**
   * A batch that is refused as a whole is halved until a refused task stands alone. Gives what became of the tasks up
   * to that one: the rest is sent once that is noted, since a fence behind a refused task says that the sink has it.
   */
  async #deliver(batch: Batch): Promise<readonly Outcome[]> {
    const { log } = this.#deps
    const sink = await this.#contact.sink()
    try {
      return await sink.deliver(batch)
    } catch (error) {
      if (!isOwmError(error) || errorKindOf(error) !== 'refused') throw error
      if (batch.count === 1) return [{ refused: error.message }]
      const { runId, slot, firstSeq, count, link } = batch
      log.debug({ event: 'batch-refused', runId, slot, firstSeq, count }, 'a batch was refused: its halves are tried')
      // What was sent behind it would come between the halves.
      const [head, ...others] = this.#inFlight
      if (head?.batch.firstSeq === firstSeq) await settled(others)
      const middle = Math.ceil(count / 2)
      const first = batch.slice(0, middle).at(link ? { link } : {})
      const outcomes = await this.#deliver(first)
      if (outcomes.length < middle || outcomes.some((outcome) => typeof outcome === 'object')) return outcomes
      const second = this.#contact.linkBehind(batch.slice(middle, count), first, outcomes)
      return [...outcomes, ...(await this.#deliver(second))]
    }
  }

  /** Waits for the head, with retries, and records its outcome. */
  async #finish(head: Sent): Promise<void> {
    const { outbox, log } = this.#deps
    const outcomes = await this.#answerOf(head).catch(async (error: unknown) => {
      await this.#letGo()
      if (isOwmError(error, 'SINK_FULL')) await this.#countPart()
      await this.#compareAgain(error)
      return undefined
    })
    if (!outcomes) return
    step('batch:answered')
    this.#inFlight.shift()
    const batch = head.batch.slice(0, outcomes.length)
    const refused = new Map<number, string>()
    for (const [index, outcome] of outcomes.entries())
      if (typeof outcome === 'object') refused.set(index, excerpt(outcome.refused))
    // What was sent after it is linked to a task that wasn't taken.
    if (refused.size > 0 || batch.count < head.batch.count) await this.#letGo()
    if (refused.size > 0) {
      const { runId, slot } = batch
      const firstSeq = batch.firstSeq + Math.min(...refused.keys())
      const fields = { event: 'tasks-dead', runId, slot, tasks: refused.size, firstSeq }
      log.error(fields, 'the sink refused tasks for good: they are dead')
      await outbox.deadLetters.add(batch, refused)
    } else await outbox.acknowledge(batch, this.#contact.guarantee === 'exactly-once')
    this.#contact.reached(batch, outcomes)
    step('batch:acknowledged')
    this.#count(batch, outcomes, refused.size)
  }

  async #answerOf(head: Sent): Promise<readonly Outcome[]> {
    let sent: Sent | undefined = head
    return this.#contact.attempt(async () => {
      if (!sent) {
        await this.#deps.outbox.checkEpoch()
        this.#inFlight = [this.#send(head.batch, undefined)]
      }
      const answer = await (sent ?? this.#inFlight[0])?.answer
      sent = undefined
      if (answer && 'outcomes' in answer) return answer.outcomes
      await this.#letGo() // retry only once the sink has no more in flight
      throw answer?.error
    }, head.batch.firstSeq)
  }

  #count(batch: Batch, outcomes: readonly Outcome[], refused: number): void {
    const { delivered, progress } = this.#options
    this.#left -= batch.count
    delivered.delivered += outcomes.filter((outcome) => outcome === 'delivered').length
    delivered.deduplicated += outcomes.filter((outcome) => outcome === 'duplicate').length
    delivered.refused += refused
    progress.delivered += batch.count
    this.#deps.onProgress?.(progress)
  }

  /** Counts what a full sink took of a batch: it may add one in parts. */
  async #countPart(): Promise<void> {
    const before = this.#deps.outbox.ackedSeq
    await this.#contact.compare().catch(() => undefined)
    const { delivered, progress } = this.#options
    const taken = Math.max(0, this.#deps.outbox.ackedSeq - before)
    delivered.delivered += taken
    progress.delivered += taken
  }

  /** Nothing is pending: whether the first comparison finds that the sink has lost something. */
  async #mustGoOn(): Promise<boolean> {
    return (await this.#contact.make()) && this.#deps.outbox.pending > 0
  }

  /** Waits for all that is in flight, and ignores the answers. */
  async #letGo(): Promise<void> {
    const sent = this.#inFlight
    this.#inFlight = []
    await settled(sent)
  }
}

const settled = (sent: readonly Sent[]): Promise<unknown> => Promise.all(sent.map(({ answer }) => answer))

/** Whether `first` resolves before `second`. */
const isFirst = (first: Promise<unknown>, second: Promise<unknown>): Promise<boolean> =>
  Promise.race([first.then(() => true), second.then(() => false)])
