/** What the outbox says of its slots, for a comparison with the sink: the ids of all tasks that it still has. */
import { type EntityManager, In, Not } from 'typeorm'
import { sumOf } from '../../../lists.js'
import type { Receipt } from '../../../plugin.js'
import { taskIdAtStart } from '../../../tasks/encode.js'
import { IdSum } from '../../../tasks/ids/sum.js'
import { byTime, shardNameIn } from '../../../tasks/slot.js'
import { mustBeOwn } from '../../owner.js'
import { holderIn, isHeld } from '../../runs/holder.js'
import { isPutBack } from '../../runs/kept.js'
import { currentOf, intervalOf, isNoted, receiptOf, runsByShard } from '../../runs/whole-slots.js'
import { type Windows, windowsOf } from '../../runs/windows.js'
import { batches, deadTasks, type RunRow, runs, sinkRows, states } from '../../sqlite/entities.js'
import { readStates, unfinishedStates } from '../../sqlite/run-states.js'
import { damaged } from '../../sqlite/trouble.js'
import { positionIn } from '../../state.js'
import { batchesIn, mustBeUpToDate, read, type View } from '../view.js'
import { IdTable } from './id-table.js'

/** A slot, or one shard of it, as the outbox has it. */
export interface OwnSlot {
  readonly slot: string
  /** As `0/3`; '' for the whole. */
  readonly shard: string
  /**
   * `whole`: read, and each task in the sink or dead. `open`: not yet. `elsewhere`: another outbox has served it, or
   * this one did at another sink. `discarded`: somebody gave it up.
   */
  readonly state: 'whole' | 'open' | 'elsewhere' | 'discarded'
  /** Whether only a receipt told that it was served, and the sink that it is compared with is the one that had it. */
  readonly isServedByReceipt: boolean
  /** Its runs, oldest first, without those that were missed. */
  readonly runs: readonly RunRow[]
  /** What its receipt should say; undefined where an older version of owm brought it. */
  readonly receipt: Receipt | undefined
  /** Tasks that the sink took, each once, and those of them that the history still has. */
  readonly delivered: number
  readonly kept: number
  readonly dead: number
  readonly discarded: number
  /** Tasks that the sink had and lost. */
  readonly lost: number
  /** Whether the history has all that its runs stored: only then `produce` reads it again (pipeline/slots/enter). */
  readonly isHistoryKept: boolean
  /** The sum of the ids that are known: those that are kept, and the dead letters. */
  readonly knownSum: IdSum
  /** Whether tasks of it were sent again of which the history no longer says how often. */
  readonly mayBeTwice: boolean
  /** Whether runs of it may be gone from the ledger. */
  readonly mayLackRuns: boolean
}

export interface OwnSlots {
  readonly path: string
  /** Whether an owm is at work on it, or may be. */
  readonly isHeld: boolean
  /** The newest first, each shard by itself. */
  readonly slots: readonly OwnSlot[]
  /** Their numbers in it are those of the slots in `slots`; other tasks of the outbox have the number behind. */
  readonly ids: IdTable
}

interface Asked {
  /** The slot; undefined for all. */
  readonly slot: string | undefined
  readonly pipeline: string
  /** Where the sink is that it is compared with. */
  readonly address: string
  /** Ids that come from elsewhere, besides. */
  readonly room: number
}

/**
 * Undefined where there is no outbox, or nothing in it yet. Throws OutboxError; ConfigurationError where it is another
 * pipeline's, whose receipts nobody would look for.
 */
export async function ownSlotsIn(path: string, asked: Asked): Promise<OwnSlots | undefined> {
  return read(path, async (view) => {
    mustBeUpToDate(view)
    const { manager } = view
    const [state] = await manager.find(states, { where: { id: 1 } })
    mustBeOwn(path, state?.owner ?? null, asked.pipeline)
    const isAtWork = (await isHeld(path, holderIn(state?.holder ?? null))) !== false
    const rows = await manager.find(runs, { where: { state: Not('missed') }, order: { id: 'ASC' } })
    const shards = runsByShard(rows.filter((row) => asked.slot === undefined || row.slot === asked.slot))
    shards.sort(([one], [other]) => byTime(other?.slot ?? '', one?.slot ?? ''))
    const known = await knownIds(view, shards, asked.room)
    const { sink, isOnly } = await sinkAt(manager, asked.address)
    const slots: OwnSlot[] = []
    for (const [number, own] of shards.entries()) {
      const [first] = own
      if (!first) continue
      const { slot } = first
      const { kept, pending, stored, storedOnce, sum, dead } = known.shards[number] ?? none()
      const total = (of: (run: RunRow) => number, some = own): number => sumOf(some, (run) => of(run))
      const counted = currentOf(own)
      const [discarded, lost] = [total((run) => run.discarded), total((run) => run.lost, counted)]
      const given = total(({ persisted, discarded: given }) => persisted - given, counted)
      const isSentAgain = own.some(({ replayed, again }) => replayed > 0 || again === 1)
      slots.push({
        slot,
        shard: shardNameIn(first.sourceDigest),
        runs: own,
        dead,
        discarded,
        lost,
        kept,
        isHistoryKept: storedOnce >= total(({ persisted }) => persisted, currentOf(own)),
        knownSum: sum,
        state: stateOf(own, sink),
        isServedByReceipt: isOnly && own.every(isNoted),
        receipt: receiptOf(own, asked.pipeline, dead, intervalOf(rows.filter((row) => row.slot === slot))),
        delivered: Math.max(0, given - dead - pending),
        mayBeTwice: isSentAgain && stored < total((run) => run.persisted + run.replayed),
        mayLackRuns: state?.newestDeletedSlot != null && Date.parse(state.newestDeletedSlot) >= Date.parse(slot),
      })
    }
    return { path, isHeld: isAtWork, slots, ids: known.ids }
  })
}

/** Undefined where no sink was ever met; null where the outbox knows others only. */
type SinkId = number | null | undefined

/** The sink at an address, and whether no other one was ever met. */
async function sinkAt(manager: EntityManager, address: string): Promise<{ sink: SinkId; isOnly: boolean }> {
  const known = await manager.find(sinkRows)
  const here = known.findLast(({ addresses }) => addresses.includes(address))
  return { sink: known.length === 0 ? undefined : (here?.id ?? null), isOnly: known.length === 1 && here !== undefined }
}

function stateOf(own: readonly RunRow[], sink: SinkId): OwnSlot['state'] {
  if (own.some(({ state }) => unfinishedStates.includes(state))) return 'open'
  if (own.at(-1)?.state === 'discarded') return 'discarded'
  if (own.every(isNoted)) return 'elsewhere'
  const isHere = currentOf(own).every(
    ({ sinks, persisted }) => persisted === 0 || sinks === null || sinks.some((id) => id === sink),
  )
  return sink === undefined || isHere ? 'whole' : 'elsewhere'
}

interface KnownOfShard {
  /** Of the runs that count. */
  kept: number
  pending: number
  dead: number
  /** Of all runs, as often as they were given out. */
  stored: number
  /** Of the runs that count, each task once. */
  storedOnce: number
  readonly sum: IdSum
}

const none = (): KnownOfShard => ({ kept: 0, pending: 0, dead: 0, stored: 0, storedOnce: 0, sum: new IdSum() })

async function knownIds(
  view: View,
  ofShards: readonly (readonly RunRow[])[],
  room: number,
): Promise<{ ids: IdTable; shards: KnownOfShard[] }> {
  const { manager, path } = view
  const numberOf = new Map(ofShards.flatMap((own, number) => own.map(({ id }) => [id, number] as const)))
  const shards = ofShards.map(none)
  const current = new Set(ofShards.flatMap((own) => currentOf(own).map(({ id }) => id)))
  const { ackedSeq } = await positionIn(manager)
  const died = await manager.find(deadTasks, { select: { seq: true, run: true, fate: true, task: true } })
  const fates = new Map(died.map(({ seq, fate }) => [seq, fate]))
  const stored = (await manager.sum(batches, 'count')) ?? 0
  const ids = new IdTable(stored + died.length + room)
  for (const { run, fate, task } of died) {
    const of = shards[numberOf.get(run) ?? shards.length]
    if (fate !== 'dead') continue
    const id = idOf(task, path)
    ids.expect(id, numberOf.get(run) ?? shards.length, true)
    if (!of || !current.has(run)) continue
    of.dead++
    of.sum.add(id)
  }
  for await (const { run, batch } of batchesIn(view)) {
    const number = numberOf.get(run) ?? shards.length
    const of = shards[number]
    for (const [index, task] of batch.tasks.entries()) {
      const [id, seq] = [idOf(task, path), batch.firstSeq + index]
      const fate = fates.get(seq)
      // What was replayed was sent, and is sent once more from a later batch.
      if (fate === undefined || fate === 'replayed') ids.expect(id, number)
      if (of) of.stored++
      if (of && current.has(run) && !isPutBack(fate)) of.storedOnce++
      // Dead letters are counted above; what was put back stands in a later batch, too.
      if (!of || !current.has(run) || fate === 'dead' || isPutBack(fate)) continue
      of.sum.add(id)
      if (fate === undefined && seq > ackedSeq) of.pending++
      else if (fate === undefined) of.kept++
    }
  }
  return { ids, shards }
}

function idOf(task: string, path: string): string {
  const id = taskIdAtStart(task)
  if (id === undefined) throw damaged(path, 'a task in it has no id')
  return id
}

/** The last run of a slot, or of the newest one that is read, and its windows. Undefined where there is none. */
export async function lastRunIn(
  path: string,
  slot: string | undefined,
): Promise<{ run: RunRow; windows: Windows } | undefined> {
  return read(path, async (view) => {
    mustBeUpToDate(view)
    const where = { state: In(readStates), ...(slot === undefined ? {} : { slot }) }
    const found = await view.manager.find(runs, { where, order: { id: 'ASC' } })
    const run = found.toSorted((a, b) => byTime(a.slot, b.slot)).at(-1)
    return run && { run, windows: await windowsOf(view.manager, run) }
  })
}
