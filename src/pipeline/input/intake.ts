/** What was read but isn't stored yet: tasks in batches, and what was set aside. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Intake, RunRow, StoredRejection as SetAside, Suspect } from '../../outbox/outbox.js'
import type { Windows } from '../../outbox/runs/windows.js'
import { type Batch, BatchWriter } from '../../tasks/batch.js'
import { IdSum } from '../../tasks/ids/sum.js'
import { cadenceOf, dueIn } from './cadence.js'
import { checkedIn, type Judge, judgeIn, rejectionOf, type Why } from './judge.js'
import type { KnownTasks } from './known-tasks.js'
import type { Given } from './minimum.js'
import type { PlacedBatch } from './pages.js'
import type { Positions } from './positions.js'
import type { Rejects } from './rejects.js'

/** Yield to the event loop after this many records, so that replies from SQLite and the sink are processed. */
const recordsATurn = 100

/** The most milliseconds that a record waits for its batch to fill. */
const oldAfterMs = 1000

interface IntakeOptions {
  run: RunRow
  /** Tasks in a batch. */
  batchSize: number
  /** The tasks that the slot has already. */
  known: KnownTasks
  /** Which windows it serves. */
  windows: Windows
  rejects: Rejects
  positions: Positions
  /** See tasks/encode. */
  traceparent?: string | undefined
}

/** What is collected for the next transaction. */
class Gathered {
  read = 0
  readonly batches: Batch[] = []
  readonly rejections: SetAside[] = []
  readonly suspects: Suspect[] = []
  repeated = 0
  notDue = 0
  skipped = 0
  /** Tasks that stand for a window. */
  windows = 0
  readonly idSum = new IdSum()
}

export class IntakeBuffer {
  /** False while a page is being added: half of one has no checkpoint. */
  isWhole = true
  /** Records that this process read, and how many of them can be tasks. */
  readonly given: Given = { read: 0, usable: 0 }
  readonly #batchSize: number
  readonly #run: RunRow
  readonly #known: KnownTasks
  readonly #judge: Judge
  readonly #covering: Windows['covering']
  readonly #tasks: BatchWriter
  #checkpoint: string | null
  #since = 0
  #gathered = new Gathered()
  readonly #rejects: Rejects
  readonly #positions: Positions

  constructor({ run, batchSize, known, windows, rejects, positions, traceparent }: IntakeOptions) {
    this.#covering = windows.covering
    this.#rejects = rejects
    this.#positions = positions
    this.#batchSize = batchSize
    this.#run = run
    this.#known = known
    this.#judge = judgeIn(dueIn(cadenceOf(run), windows), run.slot, run.namespace, traceparent)
    this.#tasks = new BatchWriter()
    this.#checkpoint = run.checkpoint
  }

  /** The number of records that wait to be stored. */
  get size(): number {
    return this.#gathered.read
  }

  /** Adds a page of the source: as a whole or, if it throws, not at all. */
  async add(page: PlacedBatch): Promise<void> {
    if (this.size === 0) this.#since = Date.now()
    this.isWhole = false
    try {
      for (let from = 0; from < page.locations.length; from += recordsATurn) {
        // guard: no-half-page
        if (from > 0) await nextTurn()
        const to = Math.min(from + recordsATurn, page.locations.length)
        for (let index = from; index < to; index++) this.#take(page, index)
      }
    } catch (error) {
      this.take() // all since the stored checkpoint is read again
      throw error
    }
    this.#checkpoint = page.resume
    this.isWhole = true
  }

  #take(page: PlacedBatch, index: number): void {
    const gathered = this.#gathered
    gathered.read++
    this.given.read++
    const tasks = this.#tasks
    const judged = this.#judge(page.locations[index] ?? {}, checkedIn(page, index), tasks.next())
    if (judged === 'not due') {
      this.given.usable++
      gathered.notDue++
      return
    }
    if ('reason' in judged) {
      this.#reject(page, index, judged)
      return
    }
    const { place, due, digits } = judged
    const served = this.#known.served.look(digits, place)
    if (served === 'other place') {
      this.#rejects.conflicts++
      this.#reject(page, index, { reason: otherPlace(this.#run) })
      return
    }
    this.given.usable++
    if (served === 'same place') {
      gathered.repeated++
      return
    }
    if (served === 'same place again') {
      const [position, value] = [page.position(index), excerpt(tasks.drop())]
      gathered.rejections.push({ kind: 'duplicate', position, value, reason: 'this run has the same location already' })
      return
    }
    // guard: seen-before
    const seen = this.#known.seen.add(digits)
    if (seen) {
      gathered.suspects.push({ position: page.position(index), task: tasks.drop() })
      return
    }
    tasks.keep()
    gathered.skipped += due.skipped
    if (due.window !== undefined) gathered.windows++
    // A position is needed only for a place with an id, which another place may have, too.
    this.#positions.add(place.id === undefined ? undefined : page.position(index))
    gathered.idSum.addDigits(digits)
    if (tasks.count === this.#batchSize) gathered.batches.push(tasks.take())
  }

  #reject(page: PlacedBatch, index: number, why: Why): void {
    const { position, value, reason } = rejectionOf(page, index, why)
    const rejection = { kind: 'rejected', position, value: excerpt(value), reason: excerpt(reason) } as const
    this.#gathered.rejections.push(rejection)
    this.#rejects.add(rejection)
  }

  /** Returns all of it, for one transaction, and starts over. */
  take(): Intake {
    const { windows, idSum, ...gathered } = this.#gathered
    if (this.#tasks.count > 0) gathered.batches.push(this.#tasks.take())
    this.#gathered = new Gathered()
    const unskipped = this.#covering && { run: this.#covering.run, windows }
    return { ...gathered, checkpoint: this.#checkpoint, unskipped, idSum: idSum.toString() }
  }

  /** Whether its oldest record has waited long enough. */
  isOld(): boolean {
    return this.isWhole && this.size > 0 && Date.now() - this.#since > oldAfterMs
  }
}

/** The reason for rejecting a location whose id another place of the same run has. */
export const otherPlaceHere = "its id is another place's, too"

/** The reason for rejecting a location whose id another place of an earlier run of the slot has. */
export const otherPlace = ({ slot }: Pick<RunRow, 'slot'>): string =>
  `the slot ${slot} has another place under this id already`

/** The first 1,000 characters of a record or of a plugin's reason. */
export const excerpt = (value: string): string =>
  (value.length > 1000 ? `${value.slice(0, 1000)}… (${value.length} characters)` : value).toWellFormed()
