/**
 * What a simulation's sink holds: tasks by slot, fences and receipts, as a Redis Stream has them beside its entries. It
 * checks all that arrives: a task that is there already, or a receipt of a slot that isn't whole, is a complaint.
 */
import { ChangedError, SupersededError, TransientError } from '../../../src/errors/index.js'
import type {
  Attached,
  Attachment,
  Brought,
  Outcome,
  Receipt,
  Sink,
  SinkPosition,
  TaskBatch,
} from '../../../src/plugin.js'

interface Fence extends SinkPosition {
  readonly epoch: number
  readonly word: string
  /** Undefined until it is placed. */
  readonly placedBy?: string
}

export class Stream {
  readonly complaints: string[] = []
  readonly receipts = new Map<string, Receipt>()
  /** The ids of each slot's tasks. */
  readonly slots = new Map<string, Set<string>>()
  /** Slots without a receipt when an outbox was lost: no start can know that their tasks are there. */
  readonly unproven = new Set<string>()
  /** Each task's slot, in the order in which they came. */
  readonly tasks = new Map<string, string>()
  readonly #fences = new Map<string, Fence>()
  #id: string | undefined

  attach({ outboxId, epoch, word, formerId }: Attachment, sinkId: string): Attached {
    const [fence, former] = [this.#fences.get(outboxId), this.#fences.get(formerId ?? '')]
    const superseded = isSuperseded(fence, { epoch, word })
    const created = this.#id === undefined
    this.#id ??= sinkId
    if (!superseded) this.#fences.set(outboxId, { ...(fence ?? { seq: 0, taskId: '' }), epoch, word })
    return {
      sinkId: this.#id,
      created,
      superseded,
      generation: 1,
      ...(fence?.placedBy === undefined ? {} : { fence }),
      ...(former?.placedBy === undefined ? {} : { former }),
    }
  }

  place({ outboxId, epoch, word }: Attachment, at: SinkPosition): void {
    if (isSuperseded(this.#fences.get(outboxId), { epoch, word })) throw new SupersededError('a late place')
    this.#fences.set(outboxId, { ...at, epoch, word, placedBy: word })
  }

  deliver({ link, slot, outboxId, firstSeq, lastSeq, count, tasks }: TaskBatch): Outcome[] {
    const fence = this.#own(link)
    const isNext = fence.seq === link?.after.seq && fence.taskId === link.after.taskId
    if (!isNext && fence.seq < firstSeq) throw new ChangedError(`it stands at ${fence.seq}, not before ${firstSeq}`)
    const skip = isNext ? 0 : Math.min(count, fence.seq - firstSeq + 1)
    const ids = tasks.map(idOf)
    for (const id of ids.slice(skip)) this.#add(slot, id)
    if (skip < count) this.#fences.set(outboxId, { ...fence, seq: lastSeq, taskId: ids.at(-1) ?? '' })
    return ids.map((_, index) => (index < skip ? 'duplicate' : 'delivered'))
  }

  #add(slot: string, id: string): void {
    const ofSlot = this.slots.get(slot) ?? new Set()
    this.slots.set(slot, ofSlot)
    // A task of a window may have come with another slot.
    const before = this.tasks.get(id)
    if (before !== undefined && !this.unproven.has(before))
      this.complaints.push(`the task ${id} of ${before} came twice, with ${slot} again`)
    ofSlot.add(id)
    this.tasks.set(id, slot)
  }

  receipt(attachment: Attachment | undefined, receipt: Receipt, { lastSeq }: Brought): void {
    if (this.#own(attachment).seq < lastSeq) throw new ChangedError('the slot is not whole')
    const ids = this.slots.get(receipt.slot) ?? new Set()
    const sum = [...ids].reduce((total, id) => (total + BigInt(`0x${id.replaceAll('-', '')}`)) % 2n ** 128n, 0n)
    const isRight = receipt.delivered === ids.size && BigInt(`0x${receipt.taskIdSum}`) === sum
    if (!isRight) this.complaints.push(`the receipt of ${receipt.slot} tells of ${receipt.delivered}, not ${ids.size}`)
    this.receipts.set(receipt.slot, receipt)
  }

  /** The newest tasks first. */
  *taskIds(): Generator<string> {
    yield* [...this.tasks.keys()].reverse()
  }

  receiptsOf(slot: string | undefined): Receipt[] {
    const all = slot === undefined ? [...this.receipts.values()] : [this.receipts.get(slot) ?? []].flat()
    return all.toSorted((a, b) => Date.parse(b.slot) - Date.parse(a.slot)).slice(0, receiptsGiven)
  }

  /** An outbox is gone. */
  outboxLost(): void {
    for (const slot of this.slots.keys()) if (!this.receipts.has(slot)) this.unproven.add(slot)
  }

  /** The fence, if it is that of this attachment. */
  #own(attachment: Attachment | undefined): Fence {
    const fence = attachment && this.#fences.get(attachment.outboxId)
    if (!fence || fence.placedBy !== attachment.word) throw new ChangedError('it was not placed by this attachment')
    return fence
  }
}

/** Like redis-stream. */
const receiptsGiven = 1_000

const isSuperseded = (held: Fence | undefined, { epoch, word }: { epoch: number; word: string }): boolean =>
  held !== undefined && (held.epoch > epoch || (held.epoch === epoch && held.word !== word))

function idOf(text: string): string {
  const task: unknown = JSON.parse(text)
  if (typeof task === 'object' && task !== null && 'task_id' in task) return String(task.task_id)
  throw new Error(`not a task: ${text}`)
}

/** What happens to the requests of a start. */
export interface Trouble {
  /** Whether the sink doesn't answer. */
  isDown: boolean
  /** The number of the request, 1 or more, whose answer is lost. */
  answerLostAt: number | undefined
}

/** One start's connection to the stream. */
export class Line {
  readonly #stream: Stream
  readonly #trouble: Trouble
  #requests = 0
  /** Undefined while the process lives; else how many of its requests still arrive. */
  #arriving: number | undefined

  constructor(stream: Stream, trouble: Trouble) {
    this.#stream = stream
    this.#trouble = trouble
  }

  /** The process dies, as it sends a request or not. */
  cut(arriving: number): void {
    this.#arriving ??= arriving
  }

  open(): Sink {
    const stream = this.#stream
    const all = (): Promise<Generator<string>> => this.#ask(() => stream.taskIds())
    return {
      guarantee: 'exactly-once',
      maxInFlight: 2,
      address: 'the stream',
      attach: (attachment, sinkId) => this.#ask(() => stream.attach(attachment, sinkId)),
      place: (attachment, at) => this.#ask(() => stream.place(attachment, at)),
      deliver: (batch) => this.#ask(() => stream.deliver(batch)),
      receipt: (attachment, receipt, brought) => this.#ask(() => stream.receipt(attachment, receipt, brought)),
      receipts: (_, slot) => this.#ask(() => stream.receiptsOf(slot)),
      async *taskIds() {
        yield* await all()
      },
    }
  }

  async #ask<T>(request: () => T): Promise<T> {
    const { isDown, answerLostAt } = this.#trouble
    if (isDown || this.#arriving === 0) throw new TransientError('nobody answers')
    if (this.#arriving !== undefined) this.#arriving--
    const answer = request()
    if (++this.#requests === answerLostAt || this.#arriving !== undefined)
      throw new TransientError('the answer is lost')
    return answer
  }
}
