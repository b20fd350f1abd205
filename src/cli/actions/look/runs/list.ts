/** `owm runs`: what each run did, and which scheduled times were missed. */
import type { Loaded } from '../../../../config/load.js'
import { isOwmError, type OwmError, UsageError } from '../../../../errors/index.js'
import { compact } from '../../../../lists.js'
import { countRuns, factsIn, type Gap, gapsIn, type RunFacts } from '../../../../outbox/inspect/ledger/facts.js'
import { type SlotsSeen, slotsIn } from '../../../../outbox/inspect/ledger/slots.js'
import { read } from '../../../../outbox/inspect/view.js'
import { type OnTime, wouldServe } from '../../../../pipeline/slots/on-time.js'
import { type ShardsOfSlot, shardsOf } from '../../../../pipeline/slots/shards.js'
import { servedInWords, timesCovered, withServed } from '../../../../schedule/covers.js'
import { durationMs } from '../../../../schedule/duration.js'
import { normalSlot, slotOf } from '../../../../tasks/slot.js'
import type { Done, Pipelines } from '../../../command.js'
import { onTimeIn, type Surroundings } from '../../../compose.js'
import { count, harmless, inPipeline, plural, shortId } from '../../../format.js'
import { ownerOf } from '../../../owner.js'
import { table, terminalWidth, wrapped } from '../../../table.js'
import { withSink } from '../sink.js'
import { againInWords, runStateInWords, type Speed, secondsOf, speedOf } from './words.js'

/** `covers`: with a schedule, other scheduled times that the run stands in for. */
type RunOfList = RunFacts & Speed & { covers: number }

/** What `owm runs --json` prints. */
export interface RunsResult {
  pipelines: {
    /** Null if the configuration has no pipelines. */
    pipeline: string | null
    outbox: string | null
    /** The newest first. */
    runs: RunOfList[]
    /** Scheduled times that no start served in time, the newest first. */
    missed: Missed[]
    /** With a schedule: the scheduled times up to now that the next start serves; absent if there are none. */
    due?: Due
    /** How many runs match, regardless of the limit. */
    matching: number
    /** With --all-shards: what the sink's receipts say of each slot, the newest first. */
    shards?: ShardsOfSlot[]
    /** Why it couldn't be read. */
    error?: { code: string; message: string }
  }[]
}

/** `served`: how many of them have been served since; absent if none, or without a schedule. */
type Missed = Gap & { served?: number }

/** Consecutive scheduled times: the first, the last, and how many. */
interface Due {
  from: string
  to: string
  count: number
}

type PipelineRuns = RunsResult['pipelines'][number]

interface RunsFlags {
  since?: string | undefined
  limit: number
  'all-shards': boolean
}

/** Fills `result` as it goes. If one pipeline can't be read, the others are still shown. */
export async function listRuns(
  result: RunsResult,
  { limit, ...flags }: RunsFlags,
  { names, configure }: Pipelines,
  around: Surroundings,
): Promise<Done<RunsResult>> {
  const since = flags.since === undefined ? undefined : sinceOf(flags.since, around.now())
  const errors: OwmError[] = []
  for (const pipeline of names) {
    const listed: PipelineRuns = { pipeline: pipeline ?? null, outbox: null, runs: [], missed: [], matching: 0 }
    result.pipelines.push(listed)
    try {
      const loaded = await configure(pipeline)
      await readRuns(listed, { since, limit }, loaded, around)
      if (flags['all-shards']) listed.shards = (await shardsIn(listed, loaded, around)).slice(0, limit)
    } catch (error) {
      if (!isOwmError(error)) throw error
      listed.error = { code: error.code, message: error.message }
      errors.push(error)
    }
  }
  const summary: string[] = []
  for (const listed of result.pipelines)
    summary.push(...(summary.length > 0 ? [''] : []), ...(await reportOf(listed, limit)))
  return { result, summary, errors }
}

/** Milliseconds since 1970. Throws UsageError. */
function sinceOf(text: string, now: number): number {
  const slot = normalSlot(text)
  const ago = durationMs(text)
  if (slot !== undefined) return Date.parse(slot)
  if (ago !== undefined) return now - ago
  throw new UsageError(`--since ${text} is neither a duration nor a time.`, {
    hint: '90s, 30m, 12h or 7d is expected, or a time such as 2026-11-23T10:00:00Z.',
  })
}

/** Fills `listed` from the outbox. */
async function readRuns(
  listed: PipelineRuns,
  { since, limit }: { since: number | undefined; limit: number },
  loaded: Loaded,
  around: Surroundings,
): Promise<void> {
  const { settings } = loaded
  listed.outbox = settings.outbox.path
  const found = await read(settings.outbox.path, async (view) => {
    const runs = await factsIn(view, { since }, limit)
    const matching = await countRuns(view, { since })
    return { runs, matching, gaps: await gapsIn(view) }
  })
  if (!found) return
  listed.matching = found.matching
  // Gaps older than the last run shown are beyond the limit, too.
  const oldest = found.matching > found.runs.length ? Date.parse(found.runs.at(-1)?.slot ?? '') : 0
  const isShown = ({ to, notedAt }: Gap): boolean =>
    since === undefined ? Date.parse(to) > oldest : Date.parse(notedAt) >= since
  listed.missed = found.gaps.filter(isShown).slice(0, limit)
  const schedule = onTimeIn(loaded, around)
  let coversOf = (_: RunFacts): number => 0
  if (schedule) {
    const seen = await slotsIn(settings.outbox.path)
    const due = dueIn(seen, schedule)
    if (due) listed.due = due
    listed.missed = withServed(listed.missed, seen.slots, schedule.timetable)
    coversOf = (run) => timesCovered(coveringOf(run, found.runs, seen), found.gaps, schedule.timetable)
  }
  listed.runs = found.runs.map((run) => ({ ...run, ...speedOf(run, around.now()), covers: coversOf(run) }))
}

/** What a run covers: its interval. If the slot's run was discarded, the run that read it again inherits it. */
function coveringOf(
  { slot: to, runId, state, interval, again }: RunFacts,
  all: readonly RunFacts[],
  { slots }: SlotsSeen,
): { from: string | null; to: string; state: string } {
  const isGivenUp = all.some((other) => other.slot === to && other.interval && other.state === 'discarded')
  const latest = again && isGivenUp ? slots.find((one) => one.runId === runId) : undefined
  return { from: interval?.from ?? latest?.from ?? null, to, state }
}

function dueIn(seen: SlotsSeen, schedule: OnTime): Due | undefined {
  const { coveredTo } = seen
  if (coveredTo === null) return undefined
  const { gaps } = wouldServe(schedule, seen)
  const last = gaps.at(-1)?.to ?? coveredTo
  const times = [...schedule.timetable.between(last, schedule.now())]
  const [from, to] = [times[0], times.at(-1)]
  return from === undefined || to === undefined
    ? undefined
    : { from: slotOf(from), to: slotOf(to), count: times.length }
}

async function shardsIn({ runs }: PipelineRuns, loaded: Loaded, around: Surroundings): Promise<ShardsOfSlot[]> {
  const owner = await ownerOf(loaded, around.env)
  return withSink(loaded, around, async (sink, name) => {
    if (!sink.receipts)
      throw new UsageError(`The sink ${name} has no receipts: it can't say which shards are there.`, {
        hint: 'Leave --all-shards out, and look into the outbox of each shard.',
      })
    return shardsOf(await sink.receipts(owner), runs)
  })
}

async function reportOf(listed: PipelineRuns, limit: number): Promise<string[]> {
  const { pipeline, outbox, runs, missed, due, matching, shards, error } = listed
  const width = terminalWidth()
  const head = inPipeline(pipeline, `outbox ${outbox ?? 'not known'}`)
  const total = runs.length < matching ? `${count(runs.length)} of ${plural(matching, 'run')}` : plural(matching, 'run')
  const more = runs.length < matching ? `; --limit ${limit * 10} shows more` : ''
  const { shown, left } = columnsFor(runs, width)
  return [
    harmless(`${head}: ${total}${more}`),
    ...(error ? wrapped(`can't be looked at: ${error.message}`, width) : []),
    ...(due ? wrapped(dueInWords(due), width) : []),
    ...(runs.length + missed.length > 0 ? await tableOf(shown, runs, missed, width) : []),
    ...notesOn(runs, left, width),
    ...(runs.some(({ delivered }) => delivered > 0) ? wrapped(deliveredNote, width) : []),
    ...(shards ? shards.flatMap((one) => wrapped(shardsInWords(one), width)) : []),
  ]
}

const deliveredNote = 'DELIVERED is what the sink took; `owm verify` asks it what it still has.'

interface Column {
  head: string
  of(run: RunOfList): string
  /** A count's name in a note, if the table has no room for it. */
  words?: string
}

const counted = (head: string, words: string, of: (run: RunOfList) => number): Column => ({
  head,
  words,
  of: (run) => count(of(run)),
})

const always: readonly Column[] = [
  { head: 'SLOT', of: ({ slot }) => slot },
  { head: 'RUN', of: ({ runId }) => shortId(runId) },
  { head: 'STATE', of: runStateInWords },
]

/** READ and DELIVERED are always shown, the others if any run has some. */
const counts: readonly Column[] = [
  counted('READ', 'read', ({ read }) => read),
  counted('DELIVERED', 'delivered', ({ delivered }) => delivered),
  counted('REJ.', 'rejected', ({ rejected }) => rejected),
  counted('DUPL.', 'duplicates', ({ duplicates }) => duplicates),
  counted('COVERS', 'scheduled times before it that it stands in for', ({ covers }) => covers),
  counted('NOT DUE', 'not due', ({ notDue }) => notDue),
  counted('WAITING', 'waiting', ({ pending }) => pending),
  counted('DEAD', 'dead', ({ dead }) => dead),
  counted('LOST', 'lost by the sink', ({ lost }) => lost),
  counted('FAILED', 'failed deliveries', ({ failures }) => failures),
]

/** Also in `runs show`. */
const speed: readonly Column[] = [
  { head: 'TIME', of: ({ durationMs }) => secondsOf(durationMs) },
  { head: 'READ/S', of: ({ perSecond }) => (perSecond === null ? '' : count(perSecond)) },
]

/** The order in which columns are dropped if the terminal is too narrow. */
const leastFirst = [
  ...['READ/S', 'TIME', 'NOT DUE', 'DUPL.', 'REJ.', 'COVERS', 'FAILED', 'LOST', 'DEAD', 'WAITING', 'DELIVERED', 'READ'],
]

/** The columns that fit, and those that don't: a truncated count or slot would be misread. */
function columnsFor(runs: readonly RunOfList[], width: number): { shown: Column[]; left: Column[] } {
  const isUsual = ({ head }: Column): boolean => ['READ', 'DELIVERED'].includes(head)
  const some = counts.filter((column) => isUsual(column) || runs.some((run) => column.of(run) !== '0'))
  const all = [...always, ...some, ...speed].map((column) => ({
    column,
    room: Math.max(column.head.length, ...runs.map((run) => column.of(run).length)) + 2,
  }))
  const dropped = new Set<string>()
  const fits = (): boolean =>
    all.reduce((sum, { column, room }) => sum + (dropped.has(column.head) ? 0 : room), -2) <= width
  for (const head of leastFirst) if (!fits()) dropped.add(head)
  const columns = all.map(({ column }) => column)
  return {
    shown: columns.filter(({ head }) => !dropped.has(head)),
    left: columns.filter(({ head }) => dropped.has(head)),
  }
}

/** The runs by slot, the newest first, with the missed times in between. */
async function tableOf(
  columns: readonly Column[],
  runs: readonly RunOfList[],
  missed: readonly Missed[],
  width: number,
): Promise<string[]> {
  const sorted = runs.toSorted((a, b) => Date.parse(b.slot) - Date.parse(a.slot))
  const rows = sorted.map((run) => columns.map(({ of }) => of(run)))
  const heads = columns.map(({ head }) => head)
  const [first = '', ...lines] = await table(heads, rows, width)
  const ofRuns = sorted.map(({ slot }, index) => ({ at: Date.parse(slot), lines: [lines[index] ?? ''] }))
  const left = missed.filter(({ count: times, served = 0 }) => served < times)
  const ofGaps = left.map((gap) => ({ at: Date.parse(gap.to), lines: wrapped(gapInWords(gap), width) }))
  const merged = [...ofRuns, ...ofGaps].toSorted((a, b) => b.at - a.at)
  return compact(rows.length > 0 && first, ...merged.flatMap((one) => one.lines))
}

const dueInWords = ({ from, to, count: times }: Due): string =>
  times === 1
    ? `${to}  due: \`owm produce\` serves it`
    : `${to}  due: ${count(times)} times, from ${from}; \`owm produce\` serves them`

const gapInWords = ({ from, to, count: times, reason, served }: Missed): string =>
  `${to}  missed: ${times === 1 ? '' : `${count(times)} times, from ${from} `}(${reason})${servedInWords(served)}`

/** Per run, if any: what the table has no room for, what went wrong, and what was sent again. */
function notesOn(runs: readonly RunOfList[], left: readonly Column[], width: number): string[] {
  return runs.flatMap((run) => {
    const again = againInWords(run)
    const notes = compact(
      ...left.flatMap(({ words, of }) => (words === undefined || of(run) === '0' ? [] : [`${of(run)} ${words}`])),
      run.discarded > 0 && `${count(run.discarded)} discarded`,
      again !== '' && `sent again: ${again}`,
      !run.isAccounted && "what became of its locations doesn't add up",
      run.lastError !== null && `last error: ${run.lastError}`,
    )
    return notes.length === 0 ? [] : wrapped(`${shortId(run.runId)}: ${notes.join('; ')}`, width)
  })
}

function shardsInWords({ slot, shards, there, missing, delivered, dead, discarded }: ShardsOfSlot): string {
  const isWhole = dead + discarded === 0
  const missed = missing.map((shard) => `${shard}/${shards}`).join(', ')
  return compact(
    `slot ${slot}: receipts of ${plural(there.length, 'shard')} of ${shards}`,
    `${plural(delivered, 'task')} delivered`,
    dead > 0 && `${count(dead)} dead`,
    discarded > 0 && `${count(discarded)} discarded`,
    missing.length > 0 ? `missing: ${missed}` : isWhole ? 'whole' : 'no shard missing',
  ).join(', ')
}
