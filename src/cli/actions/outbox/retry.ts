/** `owm outbox retry`: puts dead tasks back, to be delivered again. */
import type { Loaded } from '../../../config/load.js'
import { UsageError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { Done } from '../../command.js'
import { openOutbox, type Surroundings } from '../../compose.js'
import { type WaitFlags, waitMsOf } from '../../flags.js'
import { count, plural } from '../../format.js'

/** What `owm outbox retry --json` prints. */
export interface RetryResult {
  outbox: { path: string | null; pending: number; dead: number }
  retried: number
  /** SEQs on the command line that no dead task has; left out if empty. */
  notFound?: number[]
}

interface RetryFlags extends WaitFlags {
  run?: string | undefined
  all: boolean
}

/** @param seqs as on the command line */
export async function retry(
  seqs: readonly unknown[],
  { run, all, ...flags }: RetryFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<RetryResult>> {
  const wrong = seqs.find((seq) => !Number.isSafeInteger(Number(seq)) || Number(seq) < 1)
  if (wrong !== undefined)
    throw new UsageError(`${String(wrong)} is not a SEQ.`, {
      hint: 'A SEQ is a whole number, 1 or more: see `owm outbox inspect --state dead`.',
    })
  if ([seqs.length > 0, run !== undefined, all].filter(Boolean).length !== 1)
    throw new UsageError('Which dead tasks? Name one or more SEQ, or --run ID, or --all.', {
      hint: '`owm outbox inspect --state dead` shows them.',
    })
  const waitMs = waitMsOf(flags)
  const outbox = await openOutbox(await configure(), around, { waitMs, create: false, as: 'tidier' })
  try {
    const chosen = { run: run ?? '', seqs: seqs.length > 0 ? seqs.map(Number) : undefined }
    const retriedSeqs = new Set(await outbox.deadLetters.retry(chosen))
    const retried = retriedSeqs.size
    if (retried === 0 && run !== undefined)
      throw new UsageError(`No run whose id begins with ${run} has a dead task.`, {
        hint: '`owm outbox inspect --state dead` shows the dead tasks and their runs.',
      })
    const notFound = (chosen.seqs ?? []).filter((seq) => !retriedSeqs.has(seq))
    const [pending, dead] = [outbox.pending, await outbox.deadLetters.count()]
    const why = compact(
      retried > 0 && '`owm flush` delivers them',
      notFound.length > 0 && `no dead task has the SEQ ${notFound.join(', ')}`,
    )
    const next = why.length > 0 ? `: ${why.join('; ')}` : ''
    return {
      result: {
        outbox: { path: outbox.path, pending, dead },
        retried,
        ...(notFound.length > 0 && { notFound }),
      },
      summary: [`${plural(retried, 'dead task')} put back, ${count(pending)} pending, ${count(dead)} dead${next}`],
    }
  } finally {
    await outbox.close()
  }
}
