/**
 * The sink's side. Each request is one step, as a script of redis-stream is, and each state is kept: a failover goes
 * back to any of them, or to nothing.
 */
import { ChangedError, ConfigurationError, RefusedError, SupersededError } from '../../src/errors/index.js'
import type {
  Attached,
  Attachment,
  Brought,
  Link,
  Outcome,
  Receipt,
  SinkPosition,
  TaskBatch,
} from '../../src/plugin.js'

/**
 * chain: knows attachments and places. position: knows how far it got, and no more. none: remembers nothing.
 * off: says that it's a chain, and adds whatever comes: the model must notice.
 */
export type Kind = 'chain' | 'position' | 'none' | 'off'
export type Fault = 'none' | 'before' | 'after' | 'full' | 'configuration' | 'lose'

interface Fence {
  epoch: number
  word: string
  /** Undefined until it is placed. */
  at: (SinkPosition & { placedBy: string; generation: number }) | undefined
}

interface State {
  /** Task ids, in order. */
  entries: readonly string[]
  fences: ReadonlyMap<string, Fence>
  sinkId: string | undefined
  generation: number
}

const empty: State = { entries: [], fences: new Map(), sinkId: undefined, generation: 0 }

export class Server {
  readonly kind: Kind
  readonly maxInFlight: number
  #state = empty
  /** What a failover to a replica that lags goes back to. */
  #journal: State[] = []
  #generations = 0
  /** What becomes of the next requests. */
  faults: Fault[] = []
  poison: ReadonlySet<string> = new Set()
  /** Refuses one by one, or the batch as a whole. */
  refusesBatches = false
  readonly #refused = new Set<string>()
  /** Task ids that were ever refused. */
  readonly everRefused = new Set<string>()
  /** Requests of dead processes that are still under way. */
  late: (() => void)[] = []
  /** What these brought. */
  readonly cameLate = new Set<string>()
  /** What was in here and was lost. */
  readonly lost = new Set<string>()
  /** Receipts that nobody has looked at yet, with what was here when they were written. */
  receipts: { receipt: Receipt; entries: readonly string[] }[] = []
  /** A clock of its own for "lost something" and "was asked for its position". */
  #time = 0
  lostAt = 0
  askedAt = 0
  /** Whether the command under way was told that nothing is known of it. */
  lookedNew = false

  constructor(kind: Kind, maxInFlight: number) {
    this.kind = kind
    this.maxInFlight = maxInFlight
  }

  /** Whether anybody could notice that it lost something. */
  get canLose(): boolean {
    return this.kind === 'chain' || this.kind === 'position'
  }

  get entries(): readonly string[] {
    return this.#state.entries
  }

  positionOf(outboxId: string): SinkPosition | undefined {
    return this.#state.fences.get(outboxId)?.at
  }

  position(outboxId: string): SinkPosition | undefined {
    this.askedAt = ++this.#time
    const position = this.positionOf(outboxId)
    this.lookedNew ||= position === undefined
    return position
  }

  attach({ outboxId, epoch, word, formerId }: Attachment, given: string): Attached {
    this.askedAt = ++this.#time
    const { fences, sinkId = given, generation } = this.#state
    const held = fences.get(outboxId)
    const superseded = isSuperseded(held, { epoch, word })
    const former = formerId === undefined ? undefined : fences.get(formerId)?.at
    const answer: Attached = {
      sinkId,
      created: this.#state.sinkId === undefined,
      emptied: held?.at !== undefined && held.at.generation !== generation,
      fence: held?.at && { ...held.at, epoch: held.epoch, word: held.word },
      former: former?.generation === generation ? former : undefined,
      generation,
      superseded,
    }
    const now: State = { ...this.#state, sinkId }
    this.#become(superseded ? now : withFence(now, outboxId, { epoch, word, at: held?.at }))
    return answer
  }

  /** `seen`: the last entry that decided where to go on. */
  place(attachment: Attachment, at: SinkPosition, generation: number, seen: string | undefined): void {
    const { outboxId, epoch, word } = attachment
    const held = this.#state.fences.get(outboxId)
    if (isSuperseded(held, attachment)) throw new SupersededError('attached by another one')
    const isGone = seen !== undefined && !this.entries.includes(seen)
    if (held?.epoch !== epoch || generation !== this.#state.generation || isGone)
      throw new ChangedError('the sink has changed since it was attached')
    this.#become(withFence(this.#state, outboxId, { epoch, word, at: { ...at, placedBy: word, generation } }))
  }

  deliver(batch: TaskBatch, known: string): Outcome[] {
    const { outboxId, firstSeq, link } = batch
    if (link && link.outboxId !== outboxId) throw new ConfigurationError('a batch of another outbox than its link')
    const tasks = batch.tasks.map(read)
    const count = tasks.length
    const skip = this.#skip(batch, tasks, known)
    // A sink that remembers what it took must remember what it refused: a batch sent again gets the same answers.
    const refusedAt = (index: number): boolean =>
      index < skip ? this.#refused.has(`${outboxId}:${firstSeq + index}`) : this.poison.has(tasks[index]?.place ?? '')
    // A sink that took a task behind a refused one would pass for having taken both.
    if ((this.refusesBatches || this.canLose) && tasks.some((_, index) => refusedAt(index))) {
      if (count === 1) this.#refused.add(`${outboxId}:${firstSeq}`)
      if (count === 1) this.everRefused.add(tasks[0]?.id ?? '')
      throw new RefusedError('poison')
    }
    const outcomes = tasks.map(
      (_, index): Outcome => (refusedAt(index) ? { refused: 'poison' } : index < skip ? 'duplicate' : 'delivered'),
    )
    const entries = [...this.entries]
    outcomes.forEach((outcome, index) => {
      const key = `${outboxId}:${firstSeq + index}`
      if (outcome === 'delivered') {
        entries.push(tasks[index]?.id ?? '')
        this.#refused.delete(key)
      } else if (outcome !== 'duplicate') this.#refused.add(key)
    })
    // A chain goes on behind the last task that was taken.
    const reached = link ? outcomes.lastIndexOf('delivered') : count - 1
    const last = tasks[reached]
    if (skip < count && last && reached >= skip) {
      const held = this.#state.fences.get(outboxId) ?? { epoch: 0, word: '', at: undefined }
      const { placedBy = '', generation = 0 } = held.at ?? {}
      const at = { seq: firstSeq + reached, taskId: last.id, placedBy, generation }
      this.#become(withFence({ ...this.#state, entries }, outboxId, { ...held, at }))
    }
    return outcomes
  }

  /** How many of the batch's tasks are here already. Throws where it doesn't belong behind what is here. */
  #skip({ outboxId, firstSeq, link }: TaskBatch, tasks: readonly { id: string }[], known: string): number {
    if (this.kind === 'none' || this.kind === 'off') return 0
    const held = this.#state.fences.get(outboxId)
    const count = tasks.length
    if (this.kind === 'position') {
      const at = held?.at
      if (wordOf(at) === known) return Math.max(0, Math.min(count, (at?.seq ?? 0) - firstSeq + 1))
      if (at && tasks[at.seq - firstSeq]?.id === at.taskId) return at.seq - firstSeq + 1
      throw new ChangedError(`"${wordOf(at)}" is there, "${known}" was expected`)
    }
    const at = this.#standing(link)
    if (at.seq === link?.after.seq && at.taskId === link.after.taskId) return 0
    const last = firstSeq + count - 1
    if (at.seq > last || (at.seq === last && at.taskId === tasks.at(-1)?.id)) return count
    if (at.seq >= firstSeq && tasks[at.seq - firstSeq]?.id === at.taskId) return at.seq - firstSeq + 1
    throw new ChangedError(`it stands at ${at.seq}, the batch belongs behind ${link?.after.seq}`)
  }

  /** Where it stands for whoever attached and placed last. */
  #standing(by: Link | Attachment | undefined): SinkPosition {
    if (!by) throw new Error('a batch or a receipt without an attachment')
    const held = this.#state.fences.get(by.outboxId)
    if (isSuperseded(held, by)) throw new SupersededError('attached by another one')
    const at = held?.at
    if (!at || at.placedBy !== by.word || at.generation !== this.#state.generation)
      throw new ChangedError('it was not placed by this attachment')
    return at
  }

  receipt(attachment: Attachment | undefined, receipt: Receipt, { lastSeq }: Brought): void {
    if (this.kind === 'chain' && this.#standing(attachment).seq < lastSeq)
      throw new ChangedError('the slot is not whole here')
    this.receipts.push({ receipt, entries: this.entries })
  }

  /** A failover: back by so many states, or to nothing. */
  lose(states: number): void {
    const index = this.#journal.length - states
    const before = states > 0 && index >= 0 ? this.#journal[index] : empty
    if (!before || this.#journal.length === 0) return
    this.#journal = this.#journal.slice(0, Math.max(0, index))
    this.#forget(before)
  }

  /** Somebody deletes the tasks, not what stands beside them. */
  deleteTasks(): void {
    this.#journal.push(this.#state)
    this.#forget({ ...this.#state, entries: [], generation: ++this.#generations })
  }

  #forget(state: State): void {
    const left = new Set(state.entries)
    for (const id of this.entries) if (!left.has(id)) this.lost.add(id)
    this.#state = state
    this.lostAt = ++this.#time
  }

  #become(state: State): void {
    this.#journal.push(this.#state)
    this.#state = state
  }
}

const withFence = (state: State, outboxId: string, fence: Fence): State => ({
  ...state,
  fences: new Map(state.fences).set(outboxId, fence),
})

const isSuperseded = (held: Fence | undefined, { epoch, word }: { epoch: number; word: string }): boolean =>
  held !== undefined && (held.epoch > epoch || (held.epoch === epoch && held.word !== word))

export const wordOf = (position: SinkPosition | undefined): string =>
  position ? `${position.seq}:${position.taskId}` : ''

export function read(payload: string): { id: string; place: string } {
  const task: unknown = JSON.parse(payload)
  if (typeof task !== 'object' || task === null || !('task_id' in task && 'location_id' in task))
    throw new Error(`not a task: ${payload}`)
  return { id: String(task.task_id), place: String(task.location_id) }
}
