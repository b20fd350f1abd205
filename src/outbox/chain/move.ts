/**
 * Delivery to another sink than before. The acknowledged seq is about one sink; each sink has its own cursor, and a
 * `seq` after which it gets the tasks.
 *
 *     nothing pending when it was announced  -> it gets what was stored from then on
 *     the sink before it knows no attachments
 *     and has acknowledged nothing           -> it gets all that is pending
 *     tasks pending, or some of a run that   -> an error, unless an operator has said what it gets
 *     isn't done in the sink before it          (`owm outbox adopt --sink --from …`)
 *
 * The row of the sink before it keeps how far that had got. When that is the present sink again, it gets the tasks from
 * then on; if it loses tasks of its earlier turns, their runs become `lost`, since tasks of other sinks lie in between.
 * If none do, it is as if it had never been away.
 */
import { ConfigurationError } from '../../errors/index.js'
import type { Attached } from '../../plugin.js'
import { plural } from '../../words.js'
import type { OutboxState } from '../state.js'
import { loseEarlier, loseUpTo } from './lost.js'
import { beforeOpenRuns, isOwed } from './open-runs.js'
import { type From, type Met, type OutboxParts, type Reconciled, reopen, write } from './position.js'
import { type KnownSink, shownAddress } from './sinks.js'

/** Whether a sink is another than the one that the acknowledged seq is about. */
export const isAnother = ({ state, sinks }: OutboxParts, known: KnownSink | undefined): boolean =>
  sinks.known.length > 0 && (!known || (state.sink !== null && known.id !== state.sink))

/** Whether a sink is back before the one that took its place has got anything. */
export async function isBack(
  { database, state }: OutboxParts,
  { address, from }: Pick<Met, 'address' | 'from'>,
  known: KnownSink | undefined,
): Promise<boolean> {
  if (from !== undefined || known?.ackedSeq !== state.acked.seq) return false
  return state.next?.address === address || !(await isOwed(database, state))
}

/** A sink that was met; without a fence if it holds none. */
interface Newcomer extends Pick<Met, 'address' | 'from'> {
  readonly attached: Pick<Attached, 'sinkId'> &
    Partial<Pick<Attached, 'emptied' | 'created'>> & { readonly fence?: { readonly seq: number } | undefined }
}

/**
 * Throws ConfigurationError if an operator must decide.
 *
 * @param isSilent whether the sink can't say what it has: then nothing counts as lost
 */
export async function moveTo(
  parts: OutboxParts,
  met: Newcomer,
  known: KnownSink | undefined,
  isSilent = false,
): Promise<Reconciled> {
  const { state, sinks } = parts
  const { address, attached } = met
  const decided = decidedStart(address, { next: state.next, ackedSeq: state.acked.seq, present: sinks.present })
  // guard: another-sink
  if (met.from === undefined && decided === undefined && (await isOwed(parts.database, state)))
    throw anotherSink({ path: parts.database.path, pending: state.pending, present: sinks.present }, address)
  const fence = attached.emptied || attached.created ? undefined : attached.fence
  const start = met.from === undefined ? (decided ?? state.lastSeq) : await startOf(parts, met.from)
  // The start lies in its last turn: that turn goes on.
  // guard: back-behind-its-own
  const isOwn = met.from !== 'history' && known && fence && known.fromSeq <= start && start < fence.seq
  const [seq, fromSeq] = isOwn ? [fence.seq, known.fromSeq] : [start, start]
  const before = state.acked.seq
  await write(parts, async (manager) => {
    const had = known ? Math.max(known.fromSeq, fence?.seq ?? 0) : 0
    if (known && !isSilent && had < known.ackedSeq)
      await loseUpTo(manager, { seq: had, ackedSeq: known.ackedSeq, before: Number.MAX_SAFE_INTEGER, sink: known.id })
    if (known && !isSilent) await loseEarlier(manager, known.id, { seq: fence?.seq ?? 0, fromSeq: known.fromSeq })
    await reopen(manager, seq, before)
    return { reached: seq, sink: await sinks.note(manager, { known, address, sinkId: attached.sinkId, fromSeq }) }
  })
  return { kind: 'same', at: { seq, taskId: '' }, warnings: [] }
}

/** The `seq` after which another sink gets the tasks, where no operator has to decide that; undefined where one has. */
export function decidedStart(
  address: string,
  { next, ackedSeq, present }: Pick<OutboxState, 'next'> & { ackedSeq: number; present: KnownSink | undefined },
): number | undefined {
  if (next?.address === address) return next.fromSeq
  return present?.sinkIds.length === 0 && ackedSeq <= present.fromSeq ? ackedSeq : undefined
}

async function startOf({ database, state, queue }: OutboxParts, from: From): Promise<number> {
  const { seq } = state.acked
  if (from === 'open-runs') return Math.min(seq, await beforeOpenRuns(database))
  return from === 'history' ? Math.min(seq, (await queue.firstKept()) - 1) : seq
}

export function anotherSink(
  { path, pending, present }: { path: string; pending: number; present: KnownSink | undefined },
  address: string,
): ConfigurationError {
  const last = present ? shownAddress(present) : 'another sink'
  const what =
    pending > 0
      ? `holds ${plural(pending, 'task')} for ${last}`
      : `has a run that isn't done, and ${last} has a part of it`
  return new ConfigurationError(
    `The outbox ${path} ${what}, but the sink is ${shownAddress({ addresses: [address] })} now.`,
    {
      hint:
        'Deliver them there first: `owm flush` with the sink as it was. Or let this sink have them: ' +
        '`owm outbox adopt --sink --from pending` (those tasks), `--from open-runs` (all of their runs) ' +
        'or `--from history` (all that is kept). Or give this sink an outbox of its own: --outbox.',
    },
  )
}
