/** `owm runs diff`: what differs between two runs, or two slots. */
import type { Loaded } from '../../../../config/load.js'
import { UsageError } from '../../../../errors/index.js'
import { sumOf } from '../../../../lists.js'
import { type Difference, differenceOf } from '../../../../outbox/inspect/tasks/places.js'
import { read } from '../../../../outbox/inspect/view.js'
import { currentOf } from '../../../../outbox/runs/whole-slots.js'
import type { RejectedFor } from '../../../../pipeline/input/rejects.js'
import type { Done, Pipelines } from '../../../command.js'
import type { Surroundings } from '../../../compose.js'
import { count, plural, shortId } from '../../../format.js'
import { table, terminalWidth, wrapped } from '../../../table.js'
import { oneRun } from './one-run.js'
import { filterOf, runsNamed, type ShownRun } from './show.js'
import { grouped, placeInWords } from './words.js'

/** What is counted, in the table's order and words. */
const counts = [
  ['read', 'read'],
  ['rejected', 'rejected'],
  ['duplicates', 'duplicates'],
  ['notDue', 'not due'],
  ['skipped', 'windows skipped'],
  ['persisted', 'tasks stored'],
  ['delivered', 'delivered'],
  ['pending', 'pending'],
  ['dead', 'dead'],
  ['discarded', 'discarded'],
  ['lost', 'lost'],
  ['failures', 'failed deliveries'],
] as const

type Counts = Record<(typeof counts)[number][0], number>

interface Side extends Counts {
  slot: string
  /** Current runs: a re-read of a slot replaces its earlier runs. */
  runs: string[]
}

interface Reasons {
  onlyA: RejectedFor[]
  onlyB: RejectedFor[]
}

/** What `owm runs diff --json` prints. */
export interface DiffResult {
  a: Side | null
  b: Side | null
  /** B minus A. */
  differences: Counts | null
  reasons: { rejected: Reasons; dead: Reasons } | null
  /** Places with stored tasks: how many both sides have, and which only one has. Null if the history is incomplete. */
  locations: { both: number; onlyA: Places; onlyB: Places } | null
}

interface Places {
  count: number
  /** The first few. */
  examples: string[]
}

export const nothingCompared = (): DiffResult => ({
  a: null,
  b: null,
  differences: null,
  reasons: null,
  locations: null,
})

const mostExamples = 10

export async function diffRuns(
  [a, b]: readonly [string, string],
  { names, configure }: Pipelines,
  around: Surroundings,
): Promise<Done<DiffResult>> {
  for (const pipeline of names) {
    const loaded = await configure(pipeline)
    const ofA = currentOf(await runsNamed(a, pipeline, loaded, around))
    const ofB = currentOf(await runsNamed(b, pipeline, loaded, around))
    if (ofA.length === 0 && ofB.length === 0) continue
    mustBeOne(a, ofA)
    mustBeOne(b, ofB)
    const locations = await placesOf(loaded, ofA, ofB)
    const result = resultOf(ofA, ofB, locations)
    return { result, summary: await reportOf(result, terminalWidth()) }
  }
  throw new UsageError(`No run is ${a} or ${b}.`, { hint: '`owm runs` shows the runs and their slots.' })
}

/** Throws UsageError. */
function mustBeOne(text: string, runs: readonly ShownRun[]): void {
  if (runs.length === 0)
    throw new UsageError(`No run of the same pipeline is ${text}.`, {
      hint: '`owm runs` shows the runs and their slots.',
    })
  if (!('slot' in filterOf(text))) oneRun(text, runs)
}

function resultOf(ofA: readonly ShownRun[], ofB: readonly ShownRun[], locations: Difference | undefined): DiffResult {
  const [a, b] = [sideOf(ofA), sideOf(ofB)]
  const differences = countsOf((key) => b[key] - a[key])
  const reasonsOf = (kind: 'rejected' | 'dead'): Reasons => {
    const [one, other] = [ofA, ofB].map((runs) => grouped(runs.flatMap(({ reasons }) => reasons[kind])))
    return { onlyA: without(one ?? [], other ?? []), onlyB: without(other ?? [], one ?? []) }
  }
  const reasons = { rejected: reasonsOf('rejected'), dead: reasonsOf('dead') }
  if (!locations) return { a, b, differences, reasons, locations: null }
  const shown = ({ count, examples }: Places): Places => ({ count, examples: examples.map(placeInWords) })
  const { both, onlyA, onlyB } = locations
  return { a, b, differences, reasons, locations: { both, onlyA: shown(onlyA), onlyB: shown(onlyB) } }
}

const countsOf = (of: (key: keyof Counts) => number): Counts => ({
  read: of('read'),
  rejected: of('rejected'),
  duplicates: of('duplicates'),
  notDue: of('notDue'),
  skipped: of('skipped'),
  persisted: of('persisted'),
  delivered: of('delivered'),
  pending: of('pending'),
  dead: of('dead'),
  discarded: of('discarded'),
  lost: of('lost'),
  failures: of('failures'),
})

function sideOf(runs: readonly ShownRun[]): Side {
  const total = countsOf((key) => sumOf(runs, (run) => run[key]))
  return { slot: runs[0]?.slot ?? '', runs: runs.map(({ runId }) => runId), ...total }
}

/** Those of the reasons that differ from all others in more than the quoted value. */
const without = (these: readonly RejectedFor[], others: readonly RejectedFor[]): RejectedFor[] =>
  these.filter((reason) => grouped([reason, ...others]).length > grouped(others).length)

async function placesOf(
  { settings }: Loaded,
  ofA: readonly ShownRun[],
  ofB: readonly ShownRun[],
): Promise<Difference | undefined> {
  const ids = (runs: readonly ShownRun[]): string[] => runs.map(({ runId }) => runId)
  return read(settings.outbox.path, (view) => differenceOf(view, ids(ofA), ids(ofB), mostExamples))
}

async function reportOf({ a, b, differences, reasons, locations }: DiffResult, width: number): Promise<string[]> {
  if (!a || !b || !differences || !reasons) return []
  const signed = (difference: number): string => (difference > 0 ? `+${count(difference)}` : count(difference))
  const rows = counts
    .filter(([key]) => a[key] !== 0 || b[key] !== 0)
    .map(([key, name]) => [name, count(a[key]), count(b[key]), a[key] === b[key] ? '' : signed(differences[key])])
  const nameOf = ({ slot, runs }: Side): string => `${slot} (${runs.map(shortId).join(', ')})`
  return [
    ...wrapped(`A is ${nameOf(a)}`, width),
    ...wrapped(`B is ${nameOf(b)}`, width),
    ...(await table(['', 'A', 'B', 'B - A'], rows, width)),
    ...(['rejected', 'dead'] as const).flatMap((kind) => [
      ...reasons[kind].onlyB.flatMap((reason) => reasonInWords(`new, ${kind}`, reason, width)),
      ...reasons[kind].onlyA.flatMap((reason) => reasonInWords(`gone, ${kind}`, reason, width)),
    ]),
    ...(locations
      ? [
          `${plural(locations.both, 'location')} in both`,
          ...placesInWords('only in A', locations.onlyA, width),
          ...placesInWords('only in B', locations.onlyB, width),
        ]
      : wrapped('The history no longer has all of their tasks: locations are not compared (outbox.keepTasks).', width)),
  ]
}

const reasonInWords = (what: string, { reason, count: times, position, value }: RejectedFor, width: number): string[] =>
  wrapped(`${what}: ${count(times)}: ${reason} (${position}: ${value})`, width)

function placesInWords(where: string, { count: all, examples }: Places, width: number): string[] {
  if (all === 0) return []
  const more = all > examples.length ? ` and ${count(all - examples.length)} more` : ''
  return wrapped(`${plural(all, 'location')} ${where}: ${examples.join(', ')}${more}`, width)
}
