/** `owm outbox discard`: gives up what hasn't been delivered. */
import type { Loaded } from '../../../config/load.js'
import { UsageError } from '../../../errors/index.js'
import { compact, sumOf } from '../../../lists.js'
import { discardableIn } from '../../../outbox/inspect/picture.js'
import type { Discardable, DiscardFilter } from '../../../outbox/runs/discard.js'
import type { Done } from '../../command.js'
import { lookAtOutbox, openOutbox, type Surroundings } from '../../compose.js'
import { durationOf, type WaitFlags, waitMsOf } from '../../flags.js'
import { count, plural, shortId } from '../../format.js'
import { oneRun } from '../look/runs/one-run.js'
import { mustConfirm } from './ask.js'

/** What `owm outbox discard --json` prints. */
export interface DiscardResult {
  outbox: { path: string | null; pending: number; dead: number }
  /** With --dry-run: what would be discarded. */
  discarded: { runs: number; tasks: number }
  /** `state`: the run's state before; `tasks`: how many were pending. */
  runs: Discardable[]
}

interface DiscardFlags extends WaitFlags {
  run?: string | undefined
  pending: boolean
  'older-than'?: string | undefined
  'dry-run': boolean
  yes: boolean
}

export const nothingDiscarded = (): DiscardResult => ({
  outbox: { path: null, pending: 0, dead: 0 },
  discarded: { runs: 0, tasks: 0 },
  runs: [],
})

export async function discard(
  flags: DiscardFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<DiscardResult>> {
  const filter = filterOf(flags, around)
  const waitMs = waitMsOf(flags)
  const loaded = await configure()
  const { path } = loaded.settings.outbox
  await lookAtOutbox(loaded, around, 'tidier')
  const { runs, totals } = await discardableIn(path, filter)
  if ('run' in filter) mustBeOne(filter.run, runs)
  if (flags['dry-run'] || runs.length === 0) {
    const outbox = { path, pending: totals.pending, dead: totals.dead }
    return done({ outbox, discarded: totalOf(runs), runs }, flags['dry-run'] ? 'would be discarded' : 'discarded')
  }
  if (!flags.yes) await confirm(runs, path, around.signal)
  const outbox = await openOutbox(loaded, around, { waitMs, create: false, as: 'tidier' })
  try {
    const gone = await outbox.discard(filter)
    const now = { path, pending: outbox.pending, dead: await outbox.deadLetters.count() }
    return done({ outbox: now, discarded: totalOf(gone), runs: gone }, 'discarded')
  } finally {
    await outbox.close()
  }
}

/** Throws UsageError unless exactly one of the flags says what to discard. */
function filterOf(flags: DiscardFlags, { now }: Surroundings): DiscardFilter {
  const { run, pending, 'older-than': age } = flags
  const filters = compact<DiscardFilter>(
    run !== undefined && { run },
    pending && { pending },
    age !== undefined && { before: now() - durationOf('--older-than', age) },
  )
  const [filter, ...others] = filters
  if (filter && others.length === 0) return filter
  throw new UsageError('What is to be discarded? Name one: --run ID, --pending or --older-than AGE.', {
    hint: '`owm outbox inspect` shows the runs; --dry-run says what would be discarded.',
  })
}

/** Throws UsageError. */
function mustBeOne(id: string, runs: readonly Discardable[]): void {
  if (runs.length > 0) oneRun(id, runs)
  else
    throw new UsageError(`No run ${id} has anything to discard.`, {
      hint: '`owm outbox inspect` shows the runs and their states.',
    })
}

/** Throws UsageError without a terminal, or if the answer is no. */
async function confirm(runs: readonly Discardable[], path: string, signal: AbortSignal): Promise<void> {
  const what = runsInWords(totalOf(runs))
  const unasked = new UsageError(`${what} in ${path} would be discarded, and nobody can be asked.`, {
    hint: '--yes discards without a question; --dry-run says what.',
  })
  const slots = runs.map(({ slot }) => slot).join(', ')
  const question = `Discard ${what} in ${path}, slots ${slots}? They won't be delivered.`
  await mustConfirm(question, { unasked, refused: new UsageError('Nothing was discarded.'), signal })
}

const totalOf = (runs: readonly Discardable[]): DiscardResult['discarded'] => ({
  runs: runs.length,
  tasks: sumOf(runs, ({ tasks }) => tasks),
})

const runsInWords = ({ runs, tasks }: DiscardResult['discarded']): string =>
  `${plural(runs, 'run')} with ${plural(tasks, 'pending task')}`

function done(result: DiscardResult, verb: string): Done<DiscardResult> {
  const lines = result.runs.map(({ runId, slot, state, tasks }) => {
    return `slot ${slot}: run ${shortId(runId)}, ${state}, ${plural(tasks, 'pending task')}`
  })
  return {
    result,
    summary: [...lines, `${runsInWords(result.discarded)} ${verb}, ${count(result.outbox.pending)} pending`],
  }
}
