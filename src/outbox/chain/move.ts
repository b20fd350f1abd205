/**
 * Another sink than the one that the outbox was delivered to last. The acknowledged seq is about one sink: each sink
 * has a cursor of its own, and a `seq` from which on it gets the tasks.
 *
 *     nothing pending when it was announced  -> it gets what was stored from then on
 *     the sink before it knows no attachments
 *     and has acknowledged nothing           -> it gets all that is pending
 *     tasks pending                          -> an error, unless an operator has said what it gets
 *                                               (`owm outbox adopt --sink --from …`)
 *
 * What the sink before it has, or was to get, stays noted in its row. When it is the present one again, it gets what
 * comes from then on; what it lost meanwhile makes its runs `lost`, since other tasks lie in between.
 */
import { ConfigurationError } from '../../errors/index.js'
import { loseUpTo } from './lost.js'
import { beforeOpenRuns, type From, type Met, type Parts, type Reconciled, reopen, write } from './reconcile.js'
import type { KnownSink } from './sinks.js'

/** Whether a sink is another one than that which the acknowledged seq is about. */
export const isAnother = ({ state, sinks }: Parts, known: KnownSink | undefined): boolean =>
  sinks.known.length > 0 && (!known || (state.sink !== null && known.id !== state.sink))

/** Throws ConfigurationError where an operator must decide. */
export async function moveTo(
  parts: Parts,
  met: Pick<Met, 'address' | 'attached' | 'from'>,
  known: KnownSink | undefined,
): Promise<Reconciled> {
  const { state, sinks } = parts
  const { address, attached } = met
  const announced = state.next?.address === address ? state.next.fromSeq : undefined
  const isUnused = sinks.present?.sinkIds.length === 0 && state.acked.seq <= sinks.present.fromSeq
  const decided = announced ?? (isUnused ? state.acked.seq : undefined)
  // guard: another-sink
  if (state.pending > 0 && met.from === undefined && decided === undefined) throw anotherSink(parts, address)
  const seq = met.from === undefined ? (decided ?? state.lastSeq) : await startOf(parts, met.from)
  const before = state.acked.seq
  const note = {
    write: async (manager: Parameters<typeof sinks.leave>[0]): Promise<number> => {
      await sinks.leave(manager, before)
      const fence = attached.emptied || attached.created ? undefined : attached.fence
      const had = known ? Math.max(known.fromSeq, fence?.seq ?? 0) : 0
      if (known && had < known.ackedSeq)
        await loseUpTo(manager, { seq: had, ackedSeq: known.ackedSeq, before: Number.MAX_SAFE_INTEGER })
      await reopen(manager, seq, before)
      return sinks.note(manager, { known, address, sinkId: attached.sinkId, fromSeq: seq })
    },
  }
  await write(parts, seq, note)
  return { kind: 'same', at: { seq, taskId: '' }, warnings: [] }
}

async function startOf({ database, state, queue }: Parts, from: From): Promise<number> {
  const { seq } = state.acked
  if (from === 'open-runs') return Math.min(seq, await beforeOpenRuns(database))
  return from === 'history' ? Math.min(seq, (await queue.firstKept()) - 1) : seq
}

/** Without its scheme: a URL as it is configured may be a secret as a whole, and isn't shown. */
const shown = (address: string): string => address.replace(/^[a-z]+:\/\//, '')

function anotherSink({ database, state, sinks }: Parts, address: string): ConfigurationError {
  const last = sinks.present?.addresses.at(-1)
  return new ConfigurationError(
    `The outbox ${database.path} holds ${state.pending} task${state.pending === 1 ? '' : 's'} for ` +
      `${last === undefined ? 'another sink' : shown(last)}, ` +
      `but the sink is ${shown(address)} now.`,
    {
      hint:
        'Deliver them there first: `owm flush` with the sink as it was. Or let this sink have them: ' +
        '`owm outbox adopt --sink --from pending` (those tasks), `--from open-runs` (all of their runs) ' +
        'or `--from history` (all that is kept). Or give this sink an outbox of its own: --outbox.',
    },
  )
}
