/** `owm outbox inspect`: shows what the outbox holds. */
import type { Loaded } from '../../../config/load.js'
import { compact } from '../../../lists.js'
import type { RunFacts } from '../../../outbox/inspect/ledger/facts.js'
import { type Picture, inspect as pictureOf } from '../../../outbox/inspect/picture.js'
import type { TaskReport, TaskState } from '../../../outbox/inspect/tasks/listed.js'
import type { Done } from '../../command.js'
import { age, count, plural, shortId } from '../../format.js'
import { table, terminalWidth, wrapped } from '../../table.js'
import { runStateInWords, secondsOf, speedOf } from '../look/runs/words.js'

/** What `owm outbox inspect --json` prints. */
export interface InspectResult extends Picture {
  path: string | null
}

interface InspectFlags {
  state?: TaskState | undefined
  run?: string | undefined
  location?: string | undefined
  limit: number
}

export const nothingInspected = (): InspectResult => ({
  path: null,
  totals: { pending: 0, dead: 0, rejected: 0, duplicates: 0 },
  owner: null,
  oldestPendingAt: null,
  breakers: [],
  runs: [],
  tasks: [],
  matching: { runs: 0, dead: 0, rejected: 0 },
  reasons: [],
})

export async function inspect(
  result: InspectResult,
  flags: InspectFlags,
  configure: () => Promise<Loaded>,
): Promise<Done<InspectResult>> {
  const { path } = (await configure()).settings.outbox
  result.path = path
  const picture = await pictureOf(path, { state: undefined, run: undefined, location: undefined, ...flags })
  if (!picture) return { result, summary: [`There is nothing in the outbox ${path} yet: \`owm produce\` makes it.`] }
  const inspected = { path, ...picture }
  return { result: inspected, summary: await reportOf(inspected, flags) }
}

async function reportOf(result: InspectResult, { state, run, location, limit }: InspectFlags): Promise<string[]> {
  const { path, totals, owner, oldestPendingAt, breakers, runs, tasks, matching, reasons } = result
  const width = terminalWidth()
  const oldest = oldestPendingAt === null ? '' : ` (the oldest for ${age(Date.now() - Date.parse(oldestPendingAt))})`
  const counts = [
    `${count(totals.pending)} pending${oldest}`,
    `${count(totals.dead)} dead`,
    `${count(totals.rejected)} rejected`,
    plural(totals.duplicates, 'duplicate'),
  ]
  const { rejected, duplicates } = totals
  const more = run || location || state !== 'rejected' ? 0 : rejected + duplicates - matching.rejected
  const counted = state === 'dead' || state === 'rejected' ? matching[state] : undefined
  const all = counted ?? tasks.length
  const atLimit =
    counted === undefined && tasks.length === limit ? ', as many as --limit allows: there may be more' : ''
  return [
    `outbox ${path}${owner === null ? '' : `, of ${owner}`}`,
    counts.join(', '),
    ...breakers.map(({ name, state, failures, since }) => {
      const open = since === null ? '' : `, open since ${since}`
      return `circuit to the ${name}: ${state}, ${plural(failures, 'failure')} in a row${open}`
    }),
    ...(run !== undefined && matching.runs === 0 ? ['', `No run has an id that begins with ${run}.`] : []),
    ...(runs.length > 0 ? ['', `runs: ${outOf(runs.length, matching.runs)}`, ...(await tableOfRuns(runs, width))] : []),
    // Wrapped, not cut as in the table's last column.
    ...(reasons.length > 0
      ? ['', ...reasons.flatMap((each) => wrapped(`${count(each.count)} ${each.state}: ${each.reason}`, width))]
      : []),
    ...(more > 0 ? ['', `${count(more)} more were only counted: outbox.keepRejected says how many are kept.`] : []),
    ...(tasks.length > 0
      ? ['', `tasks: ${outOf(tasks.length, all)}${atLimit}`, ...(await tableOfTasks(tasks, width))]
      : []),
  ]
}

/** `20 of 80` */
const outOf = (shown: number, all: number): string => (shown < all ? `${count(shown)} of ${count(all)}` : count(all))

async function tableOfRuns(runs: readonly RunFacts[], width: number): Promise<string[]> {
  const isWide = width >= 130
  const optional = isWide ? ['TIME', 'READ/S', 'STARTED'] : [] // else below the table
  const head = ['RUN', 'SLOT', 'STATE', 'READ', 'REJ.', 'DUPL.', 'DELIVERED', 'DEAD', ...optional]
  const rows = runs.map((run) => {
    const counts = [run.read, run.rejected, run.duplicates, run.delivered, run.dead].map(count)
    const { time, rate } = speedInWords(run)
    return [
      shortId(run.runId),
      run.slot,
      runStateInWords(run),
      ...counts,
      ...(isWide ? [time, rate, run.startedAt] : []),
    ]
  })
  const below = runs.flatMap((run) => {
    const { time, rate } = speedInWords(run)
    const more = compact(
      !isWide && time !== '' && `${time}, ${rate} locations a second`,
      run.lastError !== null && `last error: ${run.lastError}`,
    )
    return more.length > 0 ? wrapped(`${shortId(run.runId)}: ${more.join('; ')}`, width) : []
  })
  return [...(await table(head, rows, width)), ...below]
}

/** How long a run took or has taken, and how many locations it read a second; empty if unknown. */
function speedInWords(run: RunFacts): { time: string; rate: string } {
  const { durationMs, perSecond } = speedOf(run, Date.now())
  return { time: secondsOf(durationMs), rate: perSecond === null ? '' : count(perSecond) }
}

function tableOfTasks(tasks: readonly TaskReport[], width: number): Promise<string[]> {
  const rows = tasks.map((task) => [
    task.seq === null ? (task.position ?? '') : String(task.seq),
    shortId(task.runId),
    task.state,
    String(task.attempts),
    placeOf(task),
    task.lastError ?? '',
  ])
  return table(['SEQ', 'RUN', 'STATE', 'TRIES', 'LOCATION', 'LAST ERROR'], rows, width)
}

const placeOf = ({ task, value }: TaskReport): string =>
  typeof task === 'object' && task !== null && 'city' in task && 'latitude_deg' in task && 'longitude_deg' in task
    ? `${task.city} (${task.latitude_deg}, ${task.longitude_deg})`
    : (value ?? '')
