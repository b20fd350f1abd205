/**
 * The run ledger: a row for each run, written before its source is opened.
 * docs/protocol.md ("The outbox") describes its states and their transitions.
 */
import { randomUUID } from 'node:crypto'
import { type EntityManager, type FindOptionsWhere, In, IsNull, LessThan, MoreThan, Not } from 'typeorm'
import { OutboxError } from '../../errors/index.js'
import { sumOf } from '../../lists.js'
import type { Receipt } from '../../plugin.js'
import { zeroSum } from '../../tasks/ids/sum.js'
import { isSameShard } from '../../tasks/shard.js'
import { byTime } from '../../tasks/slot.js'
import type { KnownSink } from '../chain/sinks.js'
import type { Database } from '../sqlite/database.js'
import { gaps, type RunRow, runs } from '../sqlite/entities.js'
import { settleLeftOut } from '../sqlite/statements.js'
import { stateIn } from '../state.js'
import { closeDiscarding } from './discard.js'
import { noteTold, toldIn } from './holder.js'
import { closeCovered, closeEmptyRuns, coveredTo, extendTo, insertGaps, type Planned, passOn } from './intervals.js'
import { lastList } from './last-list.js'
import { type Reason, reasonsOf } from './reasons.js'
import { closed, readingStates, unfinishedStates } from './run-states.js'
import { noteSink } from './sinks-of-runs.js'
import { currentOf, type WholeSlot, wholeSlots } from './whole-slots.js'
import { beginInside, type Windows, windowsOf } from './windows.js'

/** What is known of a run before it is read. */
export interface NewRun {
  slot: string
  source: string
  sourceDigest: string
  /** Whether the slot was given; false if it is the time of the start. */
  slotGiven: boolean
  /** Part of its task ids: see tasks/id. */
  namespace: string
  /** JSON: which locations are due (pipeline/input/cadence). Null: all. */
  cadence: string | null
  /** Whether it reads its slot again, which was lost or is no longer kept. */
  again?: boolean
  /** Whether it leaves out what the sink already holds. */
  leavesOut?: boolean
  /** The scheduled time before its slot, in milliseconds since 1970: it covers the time after that. Default: none. */
  from?: number | undefined
}

/** What the runs that are due at several slots have in common. */
export type DueRun = Pick<NewRun, 'source' | 'sourceDigest' | 'namespace' | 'cadence'>

/** A slot that another outbox has served. Inside an interval, the cadence is that of the interval's run. */
type Served = DueRun & Pick<RunRow, 'slot' | 'read' | 'rejected'> & Pick<Receipt, 'interval'>

export class Ledger {
  /** How many scheduled times this process has entered as missed. */
  newlyMissed = 0
  readonly #database: Database
  readonly #now: () => number

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Runs whose source isn't read to its end, or whose suspects aren't decided; oldest first. */
  async open(): Promise<RunRow[]> {
    return this.#find({ state: In(readingStates) })
  }

  /** Runs whose tasks aren't all stored, or not all in the sink; oldest first. */
  async unfinished(): Promise<RunRow[]> {
    return this.#find({ state: In(unfinishedStates) })
  }

  /** Why locations of a run were rejected, from the rejections that are kept; the most frequent reason first. */
  async rejectedIn({ runId }: RunRow): Promise<Reason[]> {
    const { path } = this.#database
    return this.#database.inTurn(async (manager) => (await reasonsOf({ path, manager }, [runId])).rejected)
  }

  /** The ids of the runs that wait for the sink and whose rejected locations have been reported. */
  async rejectsTold(): Promise<string[]> {
    const state = await this.#database.inTurn((manager) => stateIn(manager, 'holder'))
    return toldIn(state?.holder ?? null)
  }

  /** Notes that the rejected locations of all runs that wait for the sink have been reported. */
  async noteRejectsTold(): Promise<void> {
    await this.#database.transaction(noteTold)
  }

  /** The latest run of each of these slots. */
  async latestOf(slots: readonly string[]): Promise<RunRow[]> {
    const latest = await Promise.all([...new Set(slots)].map(async (slot) => (await this.ofSlot(slot)).at(-1)))
    return latest.filter((run) => run !== undefined)
  }

  async ofSlot(slot: string): Promise<RunRow[]> {
    return this.#find({ slot })
  }

  /** The runs whose tasks a run is compared with, itself among them: one that reads its slot again has no others. */
  async comparedWith(run: RunRow): Promise<RunRow[]> {
    return run.again ? [run] : currentOf(await this.ofSlot(run.slot))
  }

  /** Throws OutboxError if there is no such run. */
  async run(runId: string): Promise<RunRow> {
    const [run] = await this.#find({ runId })
    if (!run) throw new OutboxError(`The outbox ${this.#database.path} has no run ${runId}.`)
    return run
  }

  /** Enters a run, and closes the empty runs that it stands in for, in one transaction. */
  async start(given: NewRun): Promise<{ run: RunRow; missed: RunRow[] }> {
    const { runId, missed } = await this.#database.transaction(async (manager) => ({
      missed: await closeEmptyRuns(manager, this.#now()),
      runId: await this.#insert(manager, given),
    }))
    return { run: await this.run(runId), missed }
  }

  /**
   * Enters the runs that are due, and the scheduled times that can no longer be served, in one transaction. A run that
   * covers all of them also takes the place of runs of its shard that read nothing.
   * @param plan what is due after a time, in milliseconds since 1970; null: nothing was served before
   */
  async startDue(given: DueRun, plan: (coveredTo: number | null) => Planned): Promise<Planned> {
    const entered = await this.#database.transaction(async (manager) => {
      const planned = plan(await coveredTo(manager))
      await insertGaps(manager, planned.gaps, this.#now())
      for (const run of planned.runs) await this.#insert(manager, { ...given, ...run, slotGiven: true })
      const last = planned.runs.at(-1)
      // guard: covered-closed
      if (last && planned.covers) await closeCovered(manager, { ...given, slot: last.slot }, this.#now())
      return planned
    })
    this.newlyMissed += sumOf(entered.gaps, ({ count }) => count)
    return entered
  }

  /**
   * The slot of the run that covers a time (milliseconds since 1970). Before the first interval that of the first run,
   * since nothing was due before; after the last interval undefined.
   */
  async slotCovering(time: number): Promise<string | undefined> {
    const slots = (await this.#find({ intervalFrom: Not(IsNull()) })).map(({ slot }) => slot)
    const later = slots.filter((slot) => Date.parse(slot) >= time)
    return later.sort(byTime)[0]
  }

  /** The windows that a run serves. */
  async windowsOf(run: RunRow): Promise<Windows> {
    return this.#database.inTurn((manager) => windowsOf(manager, run))
  }

  /** Where the last interval ends. */
  async coveredTo(): Promise<number | null> {
    return this.#database.inTurn(coveredTo)
  }

  /** Scheduled times that no run serves. */
  async missed(): Promise<{ from: string; to: string; count: number }[]> {
    const found = await this.#database.inTurn((manager) => manager.find(gaps))
    return found.map(({ firstSlot: from, lastSlot: to, count }) => ({ from, to, count }))
  }

  /** Enters a slot that another outbox has served, so that later scheduled times are due; nothing if it is covered. */
  async goOnBehind(served: Served): Promise<void> {
    const end = await this.coveredTo()
    if (end === null || Date.parse(served.slot) > end) await this.noteServed(served)
  }

  /** Enters a slot that another outbox has served. */
  async noteServed(served: Served): Promise<void> {
    const { source, sourceDigest, slot, namespace, cadence, interval, read, rejected } = served
    // guard: interval-of-receipt
    const from = interval ? Date.parse(interval.from) : undefined
    await this.#database.transaction(async (manager) => {
      const given = { source, sourceDigest, slot, slotGiven: true, namespace, cadence, from }
      const runId = await this.#insert(manager, given)
      await manager.update(runs, { runId }, { read, rejected, state: 'done', finishedAt: this.#now() })
    })
  }

  /** Closes the unfinished runs of these slots, which another outbox has served, and discards their pending tasks. */
  async closeServed(slots: readonly string[]): Promise<void> {
    const where = { state: In(unfinishedStates), again: 0 }
    await this.#database.transaction(async (manager) => {
      for (const { id, slot } of await manager.find(runs, { where })) {
        if (slots.includes(slot)) await closeDiscarding(manager, id, 'done', this.#now())
      }
    })
  }

  /** The latest run. */
  async last(): Promise<RunRow | undefined> {
    const latest = { order: { id: 'DESC' }, where: {}, take: 1 } as const
    const [found] = await this.#database.inTurn((manager) => manager.find(runs, latest))
    return found
  }

  /** Closes the empty runs that `run` stands in for; returns them. */
  async standFor({ id }: RunRow): Promise<RunRow[]> {
    return this.#database.transaction((manager) => closeEmptyRuns(manager, this.#now(), id))
  }

  /** Ends a run whose source can't be resumed, and enters another one for its slot, in one transaction. */
  async supersede(run: RunRow, by: Pick<NewRun, 'source' | 'sourceDigest'>): Promise<RunRow> {
    const runId = await this.#database.transaction(async (manager) => {
      await manager.update(runs, { id: run.id }, { state: 'checking', checkpoint: null })
      const { slot, namespace, cadence } = run
      const [slotGiven, leavesOut] = [run.slotGiven === 1, run.leavesOut === 1]
      return this.#insert(manager, { ...by, slot, namespace, cadence, slotGiven, leavesOut })
    })
    run.state = 'checking'
    return this.run(runId)
  }

  /** Notes the source that reads a run from now on, if it has no checkpoint: only the same source can use that. */
  async readBy(run: RunRow, by: Pick<NewRun, 'source' | 'sourceDigest'>): Promise<void> {
    await this.#database.transaction((manager) => manager.update(runs, { id: run.id, checkpoint: IsNull() }, by))
    Object.assign(run, by)
  }

  /** The source is read to its end; only the suspects remain to be decided. */
  async endReading(run: RunRow): Promise<void> {
    const ended = { state: 'checking', checkpoint: null, readAt: this.#now() } as const
    await this.#database.transaction((manager) => manager.update(runs, { id: run.id }, ended))
    run.state = 'checking'
  }

  /** Closes a run without tasks: its source gave too few locations. */
  async miss(run: RunRow): Promise<void> {
    await this.#database.transaction(async (manager) => {
      await passOn(manager, run.id)
      await manager.update(runs, { id: run.id }, closed('missed', this.#now()))
    })
    run.state = 'missed'
  }

  /** The latest other run of the same source that was read to its end. */
  async before({ id, sourceDigest }: RunRow): Promise<RunRow | undefined> {
    return this.#database.inTurn((manager) => lastList(manager, sourceDigest, id))
  }

  /** Whether an earlier run stored a part of its slot and couldn't be resumed, so that the rest was never read. */
  async isBegun(run: RunRow): Promise<boolean> {
    const begun = { slot: run.slot, id: LessThan(run.id), readAt: IsNull(), persisted: MoreThan(0) }
    const earlier = await this.#find({ ...begun, state: Not(In(['lost', 'discarded'])) })
    return earlier.some((other) => isSameShard(other, run))
  }

  /** Notes why the source failed, for `inspect`. */
  async noteFailure(run: RunRow, error: string): Promise<void> {
    const lastError = this.#database.masked(error)
    await this.#database.inTurn((manager) => manager.update(runs, { id: run.id }, { lastError }))
  }

  /** All tasks of the run are stored. */
  async endChecking(run: RunRow): Promise<void> {
    await this.#database.transaction((manager) =>
      manager.update(runs, { id: run.id }, { state: 'read', storedAt: this.#now() }),
    )
    run.state = 'read'
  }

  /** See whole-slots.ts. */
  async wholeSlots(pipeline: string, ackedSeq: number): Promise<WholeSlot[]> {
    return this.#database.inTurn((manager) => wholeSlots(manager, pipeline, ackedSeq))
  }

  /** Marks runs as done, at a sink. Those that read their slot again make up for its lost runs. */
  async finish(runIds: readonly string[], sink: Pick<KnownSink, 'id' | 'fromSeq'> | undefined): Promise<void> {
    await this.#database.transaction(async (manager) => {
      if (sink) await noteSink(manager, runIds, sink)
      await settleLeftOut(manager, runIds)
      const done = { state: 'done', finishedAt: this.#now() } as const
      const again = await manager.find(runs, { where: { runId: In([...runIds]), again: 1, state: 'read' } })
      await manager.update(runs, { runId: In([...runIds]), state: 'read' }, done)
      for (const { slot } of again) {
        const ofSlot = await manager.find(runs, { where: { slot }, order: { id: 'ASC' } })
        const current = new Set(currentOf(ofSlot))
        // guard: loss-of-own-shard
        const madeUp = ofSlot.filter((run) => run.state === 'lost' && !current.has(run)).map(({ id }) => id)
        await manager.update(runs, { id: In(madeUp) }, { ...done, lost: 0, sinks: [] })
      }
    })
  }

  /** Lost runs that haven't been reported yet. */
  async untoldLosses(): Promise<RunRow[]> {
    return this.#find({ state: 'lost', finishedAt: IsNull() })
  }

  /** Runs of which the sink has lost tasks for good. */
  async lost(): Promise<RunRow[]> {
    return this.#find({ state: 'lost' })
  }

  /** Notes that these lost runs have been reported. */
  async lossesTold(lost: readonly RunRow[]): Promise<void> {
    const id = In(lost.map((run) => run.id))
    await this.#database.transaction((manager) => manager.update(runs, { id }, { finishedAt: this.#now() }))
  }

  async #find(where: FindOptionsWhere<RunRow>): Promise<RunRow[]> {
    return this.#database.inTurn((manager) => manager.find(runs, { where, order: { id: 'ASC' } }))
  }

  async #insert(manager: EntityManager, { from, cadence, ...run }: NewRun): Promise<string> {
    const runId = randomUUID()
    const intervalFrom = await extendTo(manager, run.slot, from)
    const begun = intervalFrom === null ? await beginInside(manager, run.slot, { from, cadence }) : { cadence }
    const counts = { read: 0, rejected: 0, duplicates: 0, persisted: 0, discarded: 0, repeated: 0, idSum: zeroSum }
    const [again, leavesOut, slotGiven] = [run.again, run.leavesOut, run.slotGiven].map((is) => (is ? 1 : 0))
    await manager.insert(runs, {
      ...run,
      ...counts,
      again,
      leavesOut,
      slotGiven,
      ...begun,
      runId,
      intervalFrom,
      state: 'reading',
      startedAt: this.#now(),
    })
    return runId
  }
}
