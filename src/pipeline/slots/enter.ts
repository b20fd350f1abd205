/**
 * The slot's row in the run ledger, before anything is read. The first line that applies counts:
 *
 *     an open run of the slot                        is continued
 *     it was read to its end or discarded, `once`    nothing is read
 *     `again`, and nothing of it is lost or gone     an error
 *     it was discarded, or the sink has lost it      an error, unless `again`
 *     no run, and the ledger may have deleted it     an error, unless `again`
 *     its history is no longer kept                  nothing is read, unless `again`
 *     anything else                                  a new run; unless `again`, what the slot has isn't stored again
 *
 * Runs that earlier starts left without storing anything are closed as missed, unless their slot was named.
 */
import { SinkLostError, UsageError } from '../../errors/index.js'
import { sumOf } from '../../lists.js'
import type { Outbox, RunRow } from '../../outbox/outbox.js'
import { readingStates } from '../../outbox/runs/run-states.js'
import { currentOf, isNoted } from '../../outbox/runs/whole-slots.js'
import type { Logger } from '../../plugin.js'
import { flagOfDigest, flagOfShards, isSameShard, shardNameIn, shardOf } from '../../tasks/shard.js'
import type { ProduceDeps } from '../parts.js'
import type { RunSettings } from './agenda.js'

export interface EnterOptions extends RunSettings {
  slot: string
  /** Whether the slot was named; false if it is the time of the start. */
  slotGiven: boolean
  /** Reads the slot again if it is lost or no longer kept. */
  again?: boolean
  /** Reads it again even if nothing is lost; `missing` omits what the sink still holds. */
  replay?: 'all' | 'missing' | undefined
  /** The beginning of the slot's interval, in milliseconds since 1970, if there was none before. Default: the slot. */
  from?: number | undefined
  /** Whether the slot was served, but to another sink. */
  isElsewhere?: boolean
  /** Whether a slot that was read to its end isn't read again, as it wasn't asked for by name. */
  once?: boolean
}

export interface Entered {
  run: RunRow
  /**
   * Whether the slot was read before, by an earlier start or another outbox, and isn't read now: it wasn't named, that
   * outbox has served it, or its history is no longer kept.
   */
  isReadBefore: boolean
  /** Runs that are closed as missed, as this one replaces them. */
  missed: readonly RunRow[]
}

type EnterDeps = Pick<ProduceDeps, 'outbox' | 'source' | 'isSharded' | 'log'>

/** Finds or creates the row. Throws UsageError, SinkLostError. */
export async function enterRun(options: EnterOptions, deps: EnterDeps): Promise<Entered> {
  const { outbox, source, isSharded, log } = deps
  const { slot } = options
  const { ledger } = outbox
  const goOnWith = async (run: RunRow, isReadBefore: boolean): Promise<Entered> => ({
    run,
    isReadBefore,
    missed: await ledger.standFor(run),
  })
  const earlier = await ledger.ofSlot(slot)
  const current = currentOf(earlier)
  const own = current.filter((run) => isOfShard(run, source.digest))
  const open = earlier.find((run) => readingStates.includes(run.state))
  if (open) return goOnWith(open, false)
  const last = earlier.at(-1)
  if (options.once && last && isOver(last) && isSameShard(last, { sourceDigest: source.digest }))
    return goOnWith(last, true)
  const isReplay = options.replay !== undefined
  // guard: again-once
  const again = options.again === true && (isReplay || !own.some(isWaitingAgain))
  if (again && !isReplay) await mustBeGone(options, own, outbox)
  if (!again) {
    mustNotBeDiscarded(slot, own, isSharded)
    mustNotBeLost(slot, own, isSharded)
    if (!last) mustBeNewer(slot, outbox, flagOfDigest(source.digest, isSharded))
  }
  if (!again && last && (await outbox.intake.deletedOf(current)) > 0) {
    log.warn(
      { event: 'slot-delivered-before', slot, runId: last.runId },
      'this slot was delivered before and its history is no longer kept: nothing is read again',
    )
    return goOnWith(last, true)
  }
  return begin(options, again, earlier, deps)
}

async function begin(
  options: EnterOptions,
  again: boolean,
  earlier: readonly RunRow[],
  { outbox, source, log }: EnterDeps,
): Promise<Entered> {
  const { slot, slotGiven, cadence, from } = options
  // What was delivered before may still be in the sink.
  // guard: again-leaves-out
  const leavesOut = again && options.replay !== 'all'
  const started = await outbox.ledger.start({
    source: source.name,
    sourceDigest: source.digest,
    slot,
    slotGiven,
    namespace: namespaceOf(options, earlier, log),
    cadence,
    again,
    from,
    leavesOut,
  })
  return { ...started, isReadBefore: false }
}

/** Whether a start reads the slot again only if it is named. */
const isOver = ({ state }: RunRow): boolean => state === 'read' || state === 'done' || state === 'discarded'

/** Whether a run may have read some of what this source reads: not if it is another shard of the same number. */
function isOfShard(run: RunRow, digest: string): boolean {
  const [own, other] = [shardOf(digest), shardOf(run.sourceDigest)]
  return own.index === other.index || own.count !== other.count
}

/** Whether it has read the slot again and waits for the sink: another start adds only what is new in the list. */
const isWaitingAgain = ({ again, state }: RunRow): boolean => again === 1 && state === 'read'

const isDiscarded = ({ state }: RunRow): boolean => state === 'discarded'

/** A slot keeps its ids even if the configuration has changed. */
function namespaceOf({ slot, namespace }: EnterOptions, earlier: readonly RunRow[], log: Logger): string {
  const before = earlier.find(({ persisted }) => persisted > 0)?.namespace ?? namespace
  if (before !== namespace)
    log.warn(
      { event: 'namespace-kept', slot, taskNamespace: before },
      'this slot keeps the taskNamespace with which it was begun',
    )
  return before
}

/** A scheduler's next retry mustn't read what an operator gave up. Throws UsageError. */
function mustNotBeDiscarded(slot: string, own: readonly RunRow[], isSharded: boolean): void {
  const discarded = own.filter(isDiscarded)
  if (discarded.length === 0) return
  const { flag, each } = flagOf(discarded, isSharded)
  throw new UsageError(`The slot ${slot} was discarded: it is not read again.`, {
    hint: `\`owm produce --slot ${slot}${flag} --again\`${each} serves it after all.`,
  })
}

/** Throws SinkLostError for a slot that the sink has lost: the outbox's record doesn't make it served. */
function mustNotBeLost(slot: string, own: readonly RunRow[], isSharded: boolean): void {
  const lost = own.filter((run) => run.lost > 0)
  if (lost.length === 0) return
  const tasks = sumOf(lost, (run) => run.lost)
  const { flag, each } = flagOf(lost, isSharded)
  throw new SinkLostError(`The sink has lost ${tasks} tasks of the slot ${slot}.`, {
    hint: `\`owm produce --slot ${slot}${flag} --again\`${each} reads it again under the same task ids.`,
  })
}

/** A slot is read again as it was served, whatever the shard of this start is. */
const flagOf = (served: readonly RunRow[], isSharded: boolean) =>
  flagOfShards(
    served.map((run) => shardNameIn(run.sourceDigest)),
    isSharded,
  )

/** Throws UsageError for a slot that may have been served, but of which nothing is known any more. */
function mustBeNewer(slot: string, { path, newestDeletedSlot }: Outbox, flag: string): void {
  // guard: deleted-slot-refused
  if (newestDeletedSlot !== null && Date.parse(slot) <= Date.parse(newestDeletedSlot))
    throw new UsageError(
      `The outbox ${path} no longer knows whether the slot ${slot} was served: ` +
        `its ledger has deleted runs up to the slot ${newestDeletedSlot}.`,
      {
        hint:
          'Where it was not, or its tasks may come once more under the same ids: ' +
          `\`owm produce --slot ${slot}${flag} --again\`. outbox.keepRuns says how many runs are kept.`,
      },
    )
}

/** Only what the sink has lost, or the outbox doesn't know or no longer keeps, is read again. Throws UsageError. */
async function mustBeGone(
  { slot, isElsewhere = false }: EnterOptions,
  own: readonly RunRow[],
  outbox: Outbox,
): Promise<void> {
  const served = own.filter(({ state }) => state !== 'missed')
  // Of what another outbox has served, only the operator knows whether it was this list.
  const isOthers = served.every((run) => run.state === 'done' && isNoted(run))
  const isGone = isElsewhere || isOthers || served.some((run) => run.state === 'lost' || isDiscarded(run))
  if (isGone) return
  // Even if its history is deleted: a dead letter that was put back may wait.
  if (own.some(({ state }) => state === 'read'))
    throw new UsageError(`The slot ${slot} is stored, and waits for the sink: it is not read again.`, {
      hint: '`owm flush` delivers what is pending.',
    })
  if ((await outbox.intake.deletedOf(own)) > 0) return
  throw new UsageError(`The slot ${slot} is served, and nothing of it is lost: it is not read again.`, {
    hint: '`owm outbox inspect` shows the runs that are lost.',
  })
}
