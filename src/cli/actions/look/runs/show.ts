/** `owm runs show`: everything about one run, or about each run of a slot. */
import { isSharded } from '../../../../config/filters.js'
import type { Loaded } from '../../../../config/load.js'
import { UsageError } from '../../../../errors/index.js'
import { compact, sumOf } from '../../../../lists.js'
import { factsIn, type RunFacts } from '../../../../outbox/inspect/ledger/facts.js'
import { read } from '../../../../outbox/inspect/view.js'
import { type Reason, reasonsOf } from '../../../../outbox/runs/reasons.js'
import type { RejectedFor } from '../../../../pipeline/input/rejects.js'
import { missedInWords } from '../../../../schedule/covers.js'
import { normalSlot } from '../../../../tasks/slot.js'
import type { Done, Pipelines } from '../../../command.js'
import type { Surroundings } from '../../../compose.js'
import { age, count, inPipeline, plural } from '../../../format.js'
import { terminalWidth, wrapped } from '../../../table.js'
import { gapOf, standInOf } from '../stand-in.js'
import { oneRun } from './one-run.js'
import {
  againInWords,
  grouped,
  nextStepOf,
  placeInWords,
  runStateInWords,
  type Speed,
  secondsOf,
  speedOf,
  sumInWords,
} from './words.js'

export interface ShownRun extends RunFacts, Speed {
  pipeline: string | null
  outbox: string
  /** Why locations were rejected and tasks refused: the commonest reasons first, each with an example. */
  reasons: { rejected: RejectedFor[]; dead: RejectedFor[] }
  /** What to do, in words. */
  next: string
}

/** What `owm runs show --json` prints. */
export interface ShowResult {
  /** The oldest first. */
  runs: ShownRun[]
}

/** A slot, or a prefix of a run's id. Throws UsageError for an empty text, which is a prefix of every id. */
export const filterOf = (text: string): { slot: string } | { run: string } => {
  if (text.trim() === '')
    throw new UsageError('The name of the run is empty.', { hint: '`owm runs` shows the runs and their slots.' })
  const slot = normalSlot(text)
  return slot === undefined ? { run: text } : { slot }
}

export async function showRuns(text: string, pipelines: Pipelines, around: Surroundings): Promise<Done<ShowResult>> {
  filterOf(text)
  const { names, configure } = pipelines
  const runs: ShownRun[] = []
  for (const pipeline of names) runs.push(...(await runsNamed(text, pipeline, await configure(pipeline), around)))
  if (runs.length === 0) await mustHaveRun(text, pipelines, around)
  const width = terminalWidth()
  const summary = mustBeMeant(text, runs).flatMap((run, index) => compact(index > 0 && '', ...runInWords(run, width)))
  return { result: { runs }, summary }
}

/** The matching runs of one outbox, the oldest first. */
export async function runsNamed(
  text: string,
  pipeline: string | undefined,
  { settings }: Loaded,
  { now }: Surroundings,
): Promise<ShownRun[]> {
  const { path } = settings.outbox
  const found = await read(path, async (view) => {
    const shown: ShownRun[] = []
    for (const run of await factsIn(view, filterOf(text), mostRuns)) {
      const { rejected, dead } = await reasonsOf(view, [run.runId])
      const reasons = { rejected: grouped(rejected), dead: grouped(dead.map(taskReason)) }
      const own = { pipeline: pipeline ?? null, outbox: path, ...run, ...speedOf(run, now()) }
      shown.unshift({ ...own, reasons, next: nextStepOf(run, isSharded(settings)) })
    }
    return shown
  })
  return found ?? []
}

const taskReason = (reason: Reason): Reason => ({
  ...reason,
  position: `seq ${reason.position}`,
  value: placeInWords(reason.value),
})

/** One more than `oneRun` counts: from there on it says that there are many. */
const mostRuns = 101

/** Throws UsageError if no run has the name, or if a prefix fits several. */
function mustBeMeant(text: string, runs: readonly ShownRun[]): readonly ShownRun[] {
  if (!('slot' in filterOf(text))) return [oneRun(text, runs)]
  if (runs.length > 0) return runs
  throw new UsageError(`No run serves the slot ${text}.`, {
    hint: `\`owm runs\` shows the runs and their slots; \`owm produce --slot ${text}\` serves this one.`,
  })
}

/** Throws UsageError if the named slot was missed, or if a later slot's run stands in for it. */
async function mustHaveRun(text: string, { names, configure }: Pipelines, around: Surroundings): Promise<void> {
  const filter = filterOf(text)
  if (!('slot' in filter)) return
  for (const pipeline of names) {
    const loaded = await configure(pipeline)
    const gap = await gapOf(filter.slot, loaded, around)
    if (gap !== undefined)
      throw new UsageError(`No run serves the slot ${text}: it was missed, one of ${missedInWords(gap)}.`, {
        hint:
          `\`owm produce --slot ${text}\` serves this one, ` +
          `\`owm backfill --from ${gap.from} --to ${gap.to}\` all of them.`,
      })
    const by = await standInOf(filter.slot, loaded, around)
    if (by !== undefined)
      throw new UsageError(`No run is of the slot ${text}: the run of ${by} stands in for it.`, {
        hint: `\`owm runs show ${by}\` shows that one; \`owm schedule\` shows what each run covers.`,
      })
  }
}

function runInWords(run: ShownRun, width: number): string[] {
  const again = againInWords(run)
  const facts: [string, string][] = [
    ['state', stateInWords(run)],
    ['locations', sumInWords(run)],
    ...optional('repeated', run.repeated > 0, `${count(run.repeated)} of the duplicates were served by an earlier run`),
    ...optional('skipped', run.skipped > 0, `${plural(run.skipped, 'window')} that came too late for any run`),
    ['source', `${run.source}${run.shard === null ? '' : `, shard ${run.shard}`}`],
    ...optional('covers', run.interval !== null, `behind ${run.interval?.from}, up to ${run.interval?.to}`),
    ...optional('cadence', run.cadence !== null, run.cadence ?? ''),
    ...optional('sink', run.sinks.length > 0, run.sinks.join(', ')),
    [
      'began',
      `${run.startedAt}${run.finishedAt === null ? '' : `, ${endsInWords[run.state] ?? 'done'} ${run.finishedAt}`}`,
    ],
    ...optional('took', run.durationMs !== null, timeInWords(run)),
    ...optional('attempts', run.failures > 0, attemptsInWords(run)),
    ...optional('sent again', again !== '', again),
    ...optional('last error', run.lastError !== null, run.lastError ?? ''),
    ...reasonsInWords('rejected', run.rejected, run.reasons.rejected),
    ...reasonsInWords('dead', run.dead, run.reasons.dead),
    ['next', run.next],
  ]
  const lines = facts.flatMap(([name, text]) =>
    wrapped(`${name.padEnd(10)} ${text}`, width).map((line, index) => (index === 0 ? line : `  ${line}`)),
  )
  return [...wrapped(inPipeline(run.pipeline, `run ${run.runId}, slot ${run.slot}`), width), ...lines]
}

/** What came at `finishedAt`. */
const endsInWords: Partial<Record<RunFacts['state'], string>> = {
  missed: 'closed',
  discarded: 'discarded',
  lost: 'the loss found',
}

const optional = (name: string, isThere: boolean, text: string): [string, string][] => (isThere ? [[name, text]] : [])

function stateInWords(run: ShownRun): string {
  const words: Partial<Record<string, string>> = {
    reading: 'reading: its source is being read',
    checking: 'checking: it is read, and is compared with the slot',
    read: 'read: all is stored, not all is in the sink',
    done: `done: the sink took all of it${run.dead > 0 ? ', but for the dead letters' : ''}`,
    missed: 'missed: it stored nothing',
    covered: `covered: it stored nothing, and the run of ${run.coveredBy} stands in for it`,
    lost: 'lost: the sink had tasks of it and lost them',
    discarded: 'discarded: somebody gave it up',
    failed: 'failed: its source failed before its end',
    interrupted: 'interrupted: owm ended before its source did',
  }
  const state = runStateInWords(run)
  return `${words[state] ?? state}${run.again ? '; it read its slot again' : ''}`
}

/** How often delivery failed and why and, for a run that is done, how long its last task waited. */
function attemptsInWords({ failures, lastFailure, storedAt, deliveringMs, lastError }: ShownRun): string {
  const why = lastError === null && lastFailure !== null ? `; the last error was: ${lastFailure}` : ''
  const waited = deliveringMs === null ? '' : `; the last task was delivered ${age(deliveringMs)} after ${storedAt}`
  return `deliveries of its batches failed ${plural(failures, 'time')}${why}${waited}`
}

function timeInWords({ durationMs, readingMs, checkingMs, deliveringMs, perSecond }: ShownRun): string {
  const phases = [
    [readingMs, 'reading'],
    [checkingMs, 'comparing'],
    [deliveringMs, 'delivering the rest'],
  ] as const
  const parts = phases.flatMap(([ms, name]) => (ms === null ? [] : [`${name} ${secondsOf(ms)}`]))
  return compact(
    secondsOf(durationMs),
    parts.length > 0 && parts.join(', '),
    perSecond !== null && `${count(perSecond)} locations a second`,
  ).join('; ')
}

const mostReasons = 5

function reasonsInWords(name: string, all: number, reasons: readonly RejectedFor[]): [string, string][] {
  const kept = sumOf(reasons, (reason) => reason.count)
  const others = kept - sumOf(reasons.slice(0, mostReasons), (reason) => reason.count)
  return [
    ...reasons.slice(0, mostReasons).map(({ reason, count: times, position, value }): [string, string] => {
      return [name, `${count(times)}: ${reason} (${position}: ${value})`]
    }),
    ...optional(name, others > 0, `${count(others)} for other reasons`),
    ...optional(
      name,
      all > kept,
      `${count(all - kept)} more were only counted: outbox.keepRejected says how many are kept`,
    ),
  ]
}
