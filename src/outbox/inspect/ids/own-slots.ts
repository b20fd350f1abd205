/** An outbox's slots, and the ids of all tasks that it still has, for a comparison with the sink. */
import { type EntityManager, In, Not } from 'typeorm'
import { sumOf } from '../../../lists.js'
import type { Receipt } from '../../../plugin.js'
import { taskIdAtStart } from '../../../tasks/encode.js'
import { IdSum } from '../../../tasks/ids/sum.js'
import { shardNameIn, slotFlags } from '../../../tasks/shard.js'
import { byTime } from '../../../tasks/slot.js'
import { mustBeOwn } from '../../owner.js'
import { holderIn, isHeld } from '../../runs/holder.js'
import { isPutBack } from '../../runs/kept.js'
import { readStates, unfinishedStates } from '../../runs/run-states.js'
import { currentOf, intervalOf, isNoted, receiptOf, runsByShard } from '../../runs/whole-slots.js'
import { type Windows, windowsOf } from '../../runs/windows.js'
import { batches, deadTasks, type RunRow, runs, sinkRows, states } from '../../sqlite/entities.js'
import { damaged } from '../../sqlite/trouble.js'
import { positionIn } from '../../state.js'
import { batchesIn, mustBeUpToDate, read, type View } from '../view.js'
import { IdTable } from './id-table.js'

/** A slot, or one shard of it, as the outbox has it. */
export interface OwnSlot {
  readonly slot: string
  /** As `0/3`; '' for the whole. */
  readonly shard: string
  /** With which a command works on it: see `slotFlags`. */
  readonly flags: string
  /**
   * `whole`: read, and each task in the sink or dead. `open`: not yet. `elsewhere`: another outbox has served it, or
   * this one did at another sink. `discarded`: by an operator.
   */
  readonly state: 'whole' | 'open' | 'elsewhere' | 'discarded'
  /** Whether only a receipt says that it was served, and that receipt was in the sink to compare with. */
  readonly isServedByReceipt: boolean
  /** Its runs, oldest first, without missed ones. */
  readonly runs: readonly RunRow[]
  /** What its receipt should say; undefined if an older version of owm brought it. */
  readonly receipt: Receipt | undefined
  /** Tasks that the sink took, each counted once, and those of them that the history still has. */
  readonly delivered: number
  readonly kept: number
  readonly dead: number
  readonly discarded: number
  /** Tasks that the sink lost. */
  readonly lost: number
  /** Whether the history has all that its runs stored: only then `produce` reads it again (pipeline/slots/enter). */
  readonly isHistoryKept: boolean
  /** The sum of the known ids: of kept tasks and of dead letters. */
  readonly knownSum: IdSum
  /** Whether some of its tasks were sent again, and the history no longer says how often. */
  readonly mayBeTwice: boolean
  /** Whether the ledger may have deleted some of its runs. */
  readonly mayLackRuns: boolean
}

export interface OwnSlots {
  readonly path: string
  /** Whether another process holds it, or may do so. */
  readonly isHeld: boolean
  /** The newest first, each shard on its own. */
  readonly slots: readonly OwnSlot[]
  /** An id's group is the index of its slot in `slots`; all other tasks of the outbox have the next number. */
  readonly ids: IdTable
}

interface Request {
  /** The slot; undefined for all. */
  readonly slot: string | undefined
  readonly pipeline: string
  /** Whether the configuration reads a shard. */
  readonly isSharded: boolean
  /** Of the sink to compare with. */
  readonly address: string
  /** How many ids from elsewhere the table must have room for. */
  readonly room: number
}

/**
 * Undefined if there is no outbox, or nothing in it yet. Throws OutboxError; ConfigurationError if it is another
 * pipeline's: the sink's receipts are looked up for this one.
 */
export async function ownSlotsIn(path: string, request: Request): Promise<OwnSlots | undefined> {
  return read(path, async (view) => {
    mustBeUpToDate(view)
    const { manager } = view
    const [state] = await manager.find(states, { where: { id: 1 } })
    mustBeOwn(path, state?.owner ?? null, request.pipeline)
    const isAtWork = (await isHeld(path, holderIn(state?.holder ?? null))) !== false
    const rows = await manager.find(runs, { where: { state: Not('missed') }, order: { id: 'ASC' } })
    const shards = runsByShard(rows.filter((row) => request.slot === undefined || row.slot === request.slot))
    shards.sort(([a], [b]) => byTime(b?.slot ?? '', a?.slot ?? ''))
    const known = await knownIds(view, shards, request.room)
    const { sink, isOnly } = await sinkAt(manager, request.address)
    const slots: OwnSlot[] = []
    for (const [number, own] of shards.entries()) {
      const [first] = own
      if (!first) continue
      const { slot } = first
      const shard = shardNameIn(first.sourceDigest)
      const { kept, pending, stored, storedOnce, sum, dead } = known.shards[number] ?? nothingKnown()
      const total = (of: (run: RunRow) => number, some = own): number => sumOf(some, of)
      const counted = currentOf(own)
      const [discarded, lost] = [total((run) => run.discarded), total((run) => run.lost, counted)]
      const toDeliver = total((run) => run.persisted - run.discarded, counted)
      const isSentAgain = own.some(({ replayed, again }) => replayed > 0 || again === 1)
      slots.push({
        slot,
        shard,
        flags: slotFlags(slot, shard, request.isSharded),
        runs: own,
        dead,
        discarded,
        lost,
        kept,
        isHistoryKept: storedOnce >= total((run) => run.persisted, counted),
        knownSum: sum,
        state: stateOf(own, sink),
        isServedByReceipt: isOnly && own.every(isNoted),
        receipt: receiptOf(own, request.pipeline, dead, intervalOf(rows.filter((row) => row.slot === slot))),
        delivered: Math.max(0, toDeliver - dead - pending),
        mayBeTwice: isSentAgain && stored < total((run) => run.persisted + run.replayed),
        mayLackRuns: state?.newestDeletedSlot != null && Date.parse(state.newestDeletedSlot) >= Date.parse(slot),
      })
    }
    return { path, isHeld: isAtWork, slots, ids: known.ids }
  })
}

/** Undefined if the outbox has never met a sink; null if it knows only others. */
type SinkId = number | null | undefined

/** The sink at an address, and whether it is the only one that the outbox has ever met. */
async function sinkAt(manager: EntityManager, address: string): Promise<{ sink: SinkId; isOnly: boolean }> {
  const known = await manager.find(sinkRows)
  const here = known.findLast(({ addresses }) => addresses.includes(address))
  return { sink: known.length === 0 ? undefined : (here?.id ?? null), isOnly: known.length === 1 && here !== undefined }
}

function stateOf(own: readonly RunRow[], sink: SinkId): OwnSlot['state'] {
  if (own.some(({ state }) => unfinishedStates.includes(state))) return 'open'
  if (own.at(-1)?.state === 'discarded') return 'discarded'
  if (own.every(isNoted)) return 'elsewhere'
  const current = currentOf(own)
  const stored = current.filter(({ persisted }) => persisted > 0)
  // Where nothing was due, the receipt is all that a sink has of the slot.
  const telling = stored.length > 0 ? stored : current
  const isHere = telling.every(({ sinks }) => sinks === null || sinks.some((id) => id === sink))
  return sink === undefined || isHere ? 'whole' : 'elsewhere'
}

interface KnownOfShard {
  /** Of the runs that count. */
  kept: number
  pending: number
  dead: number
  /** Of all runs, including tasks that were put back. */
  stored: number
  /** Of the runs that count, each task once. */
  storedOnce: number
  readonly sum: IdSum
}

const nothingKnown = (): KnownOfShard => ({ kept: 0, pending: 0, dead: 0, stored: 0, storedOnce: 0, sum: new IdSum() })

async function knownIds(
  view: View,
  ofShards: readonly (readonly RunRow[])[],
  room: number,
): Promise<{ ids: IdTable; shards: KnownOfShard[] }> {
  const { manager, path } = view
  const numberOf = new Map(ofShards.flatMap((own, number) => own.map(({ id }) => [id, number] as const)))
  const shards = ofShards.map(nothingKnown)
  const current = new Set(ofShards.flatMap((own) => currentOf(own).map(({ id }) => id)))
  const { ackedSeq } = await positionIn(manager)
  const died = await manager.find(deadTasks, { select: { seq: true, run: true, fate: true, task: true } })
  const fates = new Map(died.map(({ seq, fate }) => [seq, fate]))
  const stored = (await manager.sum(batches, 'count')) ?? 0
  const ids = new IdTable(stored + died.length + room)
  for (const { run, fate, task } of died) {
    const shard = shards[numberOf.get(run) ?? shards.length]
    if (fate !== 'dead') continue
    const id = idOf(task, path)
    ids.expect(id, numberOf.get(run) ?? shards.length, true)
    if (!shard || !current.has(run)) continue
    shard.dead++
    shard.sum.add(id)
  }
  for await (const { run, batch } of batchesIn(view)) {
    const number = numberOf.get(run) ?? shards.length
    const shard = shards[number]
    for (const [index, task] of batch.tasks.entries()) {
      const [id, seq] = [idOf(task, path), batch.firstSeq + index]
      const fate = fates.get(seq)
      // A replayed task was sent, and is sent again from a later batch.
      if (fate === undefined || fate === 'replayed') ids.expect(id, number)
      if (shard) shard.stored++
      if (shard && current.has(run) && !isPutBack(fate)) shard.storedOnce++
      // Dead letters are counted above; tasks put back are also in a later batch.
      if (!shard || !current.has(run) || fate === 'dead' || isPutBack(fate)) continue
      shard.sum.add(id)
      if (fate === undefined && seq > ackedSeq) shard.pending++
      else if (fate === undefined) shard.kept++
    }
  }
  return { ids, shards }
}

function idOf(task: string, path: string): string {
  const id = taskIdAtStart(task)
  if (id === undefined) throw damaged(path, 'a task in it has no id')
  return id
}

/** The last run of a slot, or of the newest slot that is read, and its windows. Undefined if there is none. */
export async function lastRunIn(
  path: string,
  slot: string | undefined,
): Promise<{ run: RunRow; windows: Windows } | undefined> {
  return read(path, async (view) => {
    mustBeUpToDate(view)
    const where = { state: In(readStates), ...(slot === undefined ? {} : { slot }) }
    const rows = await view.manager.find(runs, { where, order: { id: 'ASC' } })
    const run = rows.toSorted((a, b) => byTime(a.slot, b.slot)).at(-1)
    return run && { run, windows: await windowsOf(view.manager, run) }
  })
}
