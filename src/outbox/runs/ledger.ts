/**
 * The run ledger: a row for each run, written before its source is opened.
 * docs/protocol.md ("The outbox") says which states it has, and how it comes from one to another.
 */
import { randomUUID } from 'node:crypto'
import { type EntityManager, type FindOptionsWhere, In, IsNull, LessThan, MoreThan, Not } from 'typeorm'
import { OutboxError } from '../../errors/index.js'
import type { Receipt } from '../../plugin.js'
import { zeroSum } from '../../tasks/ids/sum.js'
import { byTime, shardNameIn } from '../../tasks/slot.js'
import type { KnownSink } from '../chain/sinks.js'
import type { Database } from '../sqlite/database.js'
import { gaps, type RunRow, runs, states, suspects } from '../sqlite/entities.js'
import { readingStates, unfinishedStates } from '../sqlite/run-states.js'
import { settleLeftOut } from '../sqlite/statements.js'
import { letDie } from './discard.js'
import { noteTold, toldIn } from './holder.js'
import { closeCovered, coveredTo, extendTo, insertGaps, type Planned, passOn } from './intervals.js'
import { lastList } from './last-list.js'
import { closeEmptyRuns } from './missed.js'
import { type Reason, reasonsOf } from './reasons.js'
import { noteSink, sinksOf } from './sinks-of-runs.js'
import { currentOf, type WholeSlot, wholeSlots } from './whole-slots.js'
import { beginInside, type Windows, windowsOf } from './windows.js'

/** What a run is known by before it's read. */
export interface NewRun {
  slot: string
  source: string
  sourceDigest: string
  /** Whether somebody named the slot (the default); false where it is the time of the start. */
  slotGiven?: boolean
  /** What its task ids are made with: see tasks/id. Default: ''. */
  namespace?: string
  /** Reads a slot again that was lost, or no longer kept. */
  again?: boolean
  /** Leaves out what the sink holds at the time. */
  leavesOut?: boolean
  /** JSON: which locations are due (pipeline/input/cadence). Default: all. */
  cadence?: string | null
  /** The scheduled time before its slot, in milliseconds since 1970: it covers what is behind that. Default: none. */
  from?: number | undefined
}

/** What is known of a slot that another outbox has served; a cadence is taken to have been what it is here. */
type Served = Pick<RunRow, 'source' | 'sourceDigest' | 'slot' | 'read' | 'rejected'> &
  Pick<NewRun, 'cadence' | 'namespace'> &
  Pick<Receipt, 'interval'>

export class Ledger {
  readonly #database: Database
  readonly #now: () => number

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Runs whose source isn't read to its end, or whose suspects aren't decided, oldest first. */
  async open(): Promise<RunRow[]> {
    return this.#find({ state: In(readingStates) })
  }

  /** Runs whose tasks aren't all read, or not all in the sink, oldest first. */
  async unfinished(): Promise<RunRow[]> {
    return this.#find({ state: In(unfinishedStates) })
  }

  /** Why locations of a run were rejected, of those that are kept; the commonest reason first. */
  async rejectedIn({ runId }: RunRow): Promise<Reason[]> {
    const { path } = this.#database
    return this.#database.inTurn(async (manager) => (await reasonsOf({ path, manager }, [runId])).rejected)
  }

  /** The ids of the runs that wait for the sink and whose rejected locations were told. */
  async rejectsTold(): Promise<string[]> {
    const select = { id: true, holder: true } as const
    const [state] = await this.#database.inTurn((manager) => manager.find(states, { select }))
    return toldIn(state?.holder ?? null)
  }

  /** Those of all runs that wait for the sink were told. */
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

  /** Throws OutboxError where there is no such run. */
  async run(runId: string): Promise<RunRow> {
    const [run] = await this.#find({ runId })
    if (!run) throw new OutboxError(`The outbox ${this.#database.path} has no run ${runId}.`)
    return run
  }

  /** Enters a run, before its source is opened; in the same step closes those that it stands for. */
  async start(given: NewRun): Promise<{ run: RunRow; missed: RunRow[] }> {
    const { runId, missed } = await this.#database.transaction(async (manager) => ({
      missed: await closeEmptyRuns(manager, this.#now()),
      runId: await this.#insert(manager, given),
    }))
    return { run: await this.run(runId), missed }
  }

  /**
   * Enters the runs that are due, and what can't be served any more, in one step. Where one covers all, it takes the
   * place of the runs of its shard that stored nothing.
   * @param plan what is due behind a time, in milliseconds since 1970; null: nothing was served before
   */
  async startDue(given: Omit<NewRun, 'slot'>, plan: (coveredTo: number | null) => Planned): Promise<Planned> {
    return this.#database.transaction(async (manager) => {
      const planned = plan(await coveredTo(manager))
      await insertGaps(manager, planned.gaps, this.#now())
      for (const run of planned.runs) await this.#insert(manager, { ...given, ...run })
      const last = planned.runs.at(-1)
      // guard: covered-closed
      if (last && planned.covers) await closeCovered(manager, last.slot, given.sourceDigest, this.#now())
      return planned
    })
  }

  /**
   * The slot of the run that covers a time, in milliseconds since 1970, or else of the first one behind it: what lies
   * before the first interval was never owed. Undefined behind the last interval.
   */
  async slotCovering(time: number): Promise<string | undefined> {
    const slots = (await this.#find({ intervalFrom: Not(IsNull()) })).map(({ slot }) => slot)
    const later = slots.filter((slot) => Date.parse(slot) >= time)
    return later.sort(byTime)[0]
  }

  /** Which windows a run serves. */
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

  /** Enters a slot that another outbox has served: what is scheduled behind it is due. Nothing where it is covered. */
  async goOnBehind(served: Served): Promise<void> {
    const end = await this.coveredTo()
    if (end === null || Date.parse(served.slot) > end) await this.noteServed(served)
  }

  /** Enters a slot that another outbox has served. */
  async noteServed(served: Served): Promise<void> {
    const { source, sourceDigest, slot, namespace = '', cadence = null, interval, read, rejected } = served
    // guard: interval-of-receipt
    const from = interval ? Date.parse(interval.from) : undefined
    await this.#database.transaction(async (manager) => {
      const runId = await this.#insert(manager, { source, sourceDigest, slot, namespace, cadence, from })
      await manager.update(runs, { runId }, { read, rejected, state: 'done', finishedAt: this.#now() })
    })
  }

  /** Closes the runs of these slots that aren't done: another outbox served them, with what is pending here, too. */
  async closeServed(slots: readonly string[]): Promise<void> {
    const where = { state: In(unfinishedStates), again: 0 }
    await this.#database.transaction(async (manager) => {
      for (const { id, slot } of await manager.find(runs, { where })) {
        if (!slots.includes(slot)) continue
        const given = await letDie(manager, id, this.#now())
        await manager.delete(suspects, { run: id })
        const done = { state: 'done', checkpoint: null, finishedAt: this.#now() } as const
        await manager.update(runs, { id }, { ...done, discarded: () => `discarded + ${given}` })
      }
    })
  }

  /** The latest run. */
  async last(): Promise<RunRow | undefined> {
    const latest = { order: { id: 'DESC' }, where: {}, take: 1 } as const
    const [found] = await this.#database.inTurn((manager) => manager.find(runs, latest))
    return found
  }

  /** Closes the runs that `run` stands for; gives them. */
  async standFor({ id }: RunRow): Promise<RunRow[]> {
    return this.#database.transaction((manager) => closeEmptyRuns(manager, this.#now(), id))
  }

  /** Closes a run whose source can't be read on, and starts another one for its slot, in one step. */
  async supersede(run: RunRow, by: Pick<NewRun, 'source' | 'sourceDigest'>): Promise<RunRow> {
    const runId = await this.#database.transaction(async (manager) => {
      await manager.update(runs, { id: run.id }, { state: 'checking', checkpoint: null })
      const { slot, namespace } = run
      const [slotGiven, leavesOut] = [run.slotGiven === 1, run.leavesOut === 1]
      return this.#insert(manager, { ...by, slot, namespace, slotGiven, leavesOut })
    })
    run.state = 'checking'
    return this.run(runId)
  }

  /**
   * A run without a checkpoint is read by this source from now on: what it read before, if anything, came from another
   * one, and the checkpoint to come belongs to this one.
   */
  async readBy(run: RunRow, by: Pick<NewRun, 'source' | 'sourceDigest'>): Promise<void> {
    await this.#database.transaction((manager) => manager.update(runs, { id: run.id, checkpoint: IsNull() }, by))
    Object.assign(run, by)
  }

  /** The source is read to its end: from here on only the suspects are open. */
  async endReading(run: RunRow): Promise<void> {
    const ended = { state: 'checking', checkpoint: null, readAt: this.#now() } as const
    await this.#database.transaction((manager) => manager.update(runs, { id: run.id }, ended))
    run.state = 'checking'
  }

  /** The source gave too little: the run is closed, without any task. */
  async miss(run: RunRow): Promise<void> {
    const missed = { state: 'missed', checkpoint: null, finishedAt: this.#now() } as const
    await this.#database.transaction(async (manager) => {
      await passOn(manager, run.id)
      await manager.update(runs, { id: run.id }, missed)
    })
    run.state = 'missed'
  }

  /** The latest run of the same source that was read to its end and isn't this one. */
  async before({ id, sourceDigest }: RunRow): Promise<RunRow | undefined> {
    return this.#database.inTurn((manager) => lastList(manager, sourceDigest, id))
  }

  /** Whether an earlier run has stored a part of its slot, and couldn't be read on: nobody has read the rest. */
  async isBegun({ id, slot, sourceDigest }: RunRow): Promise<boolean> {
    const begun = { slot, id: LessThan(id), readAt: IsNull(), persisted: MoreThan(0) }
    const earlier = await this.#find({ ...begun, state: Not(In(['lost', 'discarded'])) })
    return earlier.some((run) => shardNameIn(run.sourceDigest) === shardNameIn(sourceDigest))
  }

  /** Notes for `inspect` why the source failed. */
  async noteFailure(run: RunRow, error: string): Promise<void> {
    const lastError = this.#database.masked(error)
    await this.#database.inTurn((manager) => manager.update(runs, { id: run.id }, { lastError }))
  }

  /** All that the source gave is stored. */
  async endChecking(run: RunRow): Promise<void> {
    await this.#database.transaction((manager) =>
      manager.update(runs, { id: run.id }, { state: 'read', storedAt: this.#now() }),
    )
    run.state = 'read'
  }

  /** The slots whose every run is read, and whose every task is at or before `ackedSeq`, with their receipts. */
  async wholeSlots(pipeline: string, ackedSeq: number): Promise<WholeSlot[]> {
    return this.#database.inTurn((manager) => wholeSlots(manager, pipeline, ackedSeq))
  }

  /** The sinks that have all of a slot, or of a shard of it; undefined where it isn't served, or that isn't known. */
  async sinksOf(slot: string, shard: string): Promise<number[] | undefined> {
    return sinksOf(await this.ofSlot(slot), shard)
  }

  /** These runs are done, at a sink. What was lost of their slots, and one of them read again, isn't lost any more. */
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
        const mended = ofSlot.filter((run) => run.state === 'lost' && !current.has(run)).map(({ id }) => id)
        await manager.update(runs, { id: In(mended) }, { ...done, lost: 0, sinks: [] })
      }
    })
  }

  /** Runs that were lost and that nobody was told of. */
  async untoldLosses(): Promise<RunRow[]> {
    return this.#find({ state: 'lost', finishedAt: IsNull() })
  }

  /** Runs of which the sink has lost tasks for good. */
  async lost(): Promise<RunRow[]> {
    return this.#find({ state: 'lost' })
  }

  /** Somebody was told of them. */
  async lossesTold(lost: readonly RunRow[]): Promise<void> {
    const id = In(lost.map((run) => run.id))
    await this.#database.transaction((manager) => manager.update(runs, { id }, { finishedAt: this.#now() }))
  }

  async #find(where: FindOptionsWhere<RunRow>): Promise<RunRow[]> {
    return this.#database.inTurn((manager) => manager.find(runs, { where, order: { id: 'ASC' } }))
  }

  async #insert(manager: EntityManager, { from, cadence = null, ...run }: NewRun): Promise<string> {
    const runId = randomUUID()
    const intervalFrom = await extendTo(manager, run.slot, from)
    const begun = intervalFrom === null ? await beginInside(manager, run.slot, { from, cadence }) : { cadence }
    const counts = { read: 0, rejected: 0, duplicates: 0, persisted: 0, discarded: 0, repeated: 0, idSum: zeroSum }
    const [again, leavesOut, slotGiven] = [run.again, run.leavesOut, run.slotGiven ?? true].map((is) => (is ? 1 : 0))
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
