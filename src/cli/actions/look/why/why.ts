/** `owm why`: one place's story, from its line in the list to the readers of its task. */
import { cadenceKept } from '../../../../config/filters.js'
import type { Loaded } from '../../../../config/load.js'
import { isOwmError, type OwmError, UsageError } from '../../../../errors/index.js'
import { type RunTold, storyIn, type Told, type Trace } from '../../../../outbox/inspect/ids/story.js'
import { addressNoted } from '../../../../pipeline/parts.js'
import type { Receipt, Sink } from '../../../../plugin.js'
import type { Done } from '../../../command.js'
import { type Surroundings, sourceOf } from '../../../compose.js'
import { ownerOf } from '../../../owner.js'
import { addressOf, withSink } from '../sink.js'
import { type Line, type Looked, linesIn } from './list.js'
import { distinct, type Fit, keyOf, type Matcher, matcherOf, type Spot, spotOfRecord, withoutWord } from './match.js'
import { whyInWords } from './report.js'
import { entriesWith, goneAs, goneFrom, type Seen } from './sink.js'
import { type RunStory, storyOf, taskIn } from './story.js'

/** What `owm why --json` prints. */
export interface WhyResult {
  text: string
  outbox: string | null
  sink: { name: string | null; address: string | null }
  /** How many locations the whole list has; null if it wasn't read. */
  source: { name: string; read: number } | null
  /** The places that fit. If there are several, nothing else is given: a narrower text is needed. */
  places: Spot[]
  /** The lines of the list with this place, and what a run would make of each. */
  lines: Omit<Line, 'idIn' | 'spot'>[]
  /** What became of it in each run, the newest first. */
  runs: RunStory[]
  /** If nothing fits: the most similar name in the list. */
  near: string | null
  /** What couldn't be checked, and why. */
  notes: string[]
}

export interface WhyFlags {
  limit: number
  'no-source': boolean
}

export const nothingTold = (): WhyResult => ({
  text: '',
  outbox: null,
  sink: { name: null, address: null },
  source: null,
  near: null,
  places: [],
  lines: [],
  runs: [],
  notes: [],
})

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

/** Fills `result` as it goes. */
export async function why(
  result: WhyResult,
  given: string,
  flags: WhyFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<WhyResult>> {
  const text = given.trim()
  if (text === '') throw new UsageError('Which place? Give a city, an id, a task id or coordinates.')
  const loaded = await configure()
  const { path } = loaded.settings.outbox
  Object.assign(result, { text, outbox: path })
  const failures: OwmError[] = []
  const query = await queryFor(text, path, flags)
  const looked = flags['no-source'] ? undefined : await readList(result, query, loaded, flags, around, failures)
  const found = await tracesIn(path, flags.limit, query.matcher, looked)
  const { lines, traces } = found
  const spots = distinct(
    [
      ...lines.flatMap(({ spot, rejected }) => (spot && rejected === null ? spot : [])),
      ...traces.flatMap((trace) => taskIn(trace.text)?.spot ?? []),
    ],
    [
      ...lines.flatMap(({ spot, rejected }) => (spot && rejected !== null ? spot : [])),
      ...traces.flatMap((trace) => (taskIn(trace.text) ? [] : (spotOfRecord(trace.text) ?? []))),
    ],
  )
  result.places = spots.slice(0, flags.limit)
  result.near = spots.length === 0 ? (looked?.near ?? null) : null
  if (spots.length < 2) await addStory(result, { found, loaded, around, failures })
  result.notes = failures.map(({ message }) => message)
  const isTold = result.places.length + result.lines.length + result.runs.length > 0
  return { result, summary: await whyInWords(result, flags), errors: isTold ? [] : failures }
}

interface Query {
  /** If it is a task's id: in lower case, without the word before it. */
  readonly text: string
  readonly matcher: Matcher
  /** The runs to search, if the text is the id of a task that the outbox doesn't have. */
  readonly runs: readonly RunTold[]
}

/** If the text is a task's id, the place comes from the outbox, or else from the list, run by run. */
async function queryFor(text: string, path: string, { limit }: WhyFlags): Promise<Query> {
  const id = withoutWord(text).toLowerCase()
  if (!uuid.test(id)) return { matcher: matcherOf(text), runs: [], text }
  const told = await storyIn(path, limit, () => (task) => task.includes(id))
  const [spot] = told?.traces.flatMap((trace) => taskIn(trace.text)?.spot ?? []) ?? []
  if (!spot) return { matcher: matcherOf(text), runs: told?.runs ?? [], text: id }
  const ofSpot = (other: Spot | undefined): Fit => (other && keyOf(other) === keyOf(spot) ? 'exact' : undefined)
  const ofRecord = (record: string): Fit => ofSpot(spotOfRecord(record))
  return { matcher: { ofSpot, ofRecord, ofPosition: () => undefined }, runs: [], text: id }
}

/** Reads the source. If that fails, the rest of the story is still told. */
async function readList(
  result: WhyResult,
  { text, matcher, runs }: Query,
  loaded: Loaded,
  { limit }: WhyFlags,
  around: Surroundings,
  failures: OwmError[],
): Promise<Looked | undefined> {
  try {
    const source = await sourceOf(loaded, around)
    const cadence = await cadenceKept(loaded)
    const asked = { text, matcher, limit, cadence, now: around.now(), signal: around.signal, runs }
    const looked = await linesIn(source, asked)
    result.source = { name: source.name, read: looked.read }
    return looked
  } catch (error) {
    if (!isOwmError(error)) throw error
    failures.push(error)
    return undefined
  }
}

interface Found {
  readonly told: Told | undefined
  /** From list and outbox: the exact fits, or else the partial ones. */
  readonly lines: readonly Line[]
  readonly traces: readonly Trace[]
}

/** What the outbox has on the text and on the lines that fit. */
async function tracesIn(path: string, limit: number, matcher: Matcher, looked: Looked | undefined): Promise<Found> {
  const { lines = [], fit = undefined } = looked ?? {}
  const fitOf = ({ text, position }: Pick<Trace, 'text' | 'position'>): Fit => {
    const task = taskIn(text)
    return task ? matcher.ofSpot(task.spot) : (matcher.ofPosition(position) ?? matcher.ofRecord(text))
  }
  const keys = new Set(lines.flatMap(({ spot }) => (spot ? [keyOf(spot)] : [])))
  const isOfLine = (text: string): boolean => {
    const spot = taskIn(text)?.spot ?? spotOfRecord(text)
    return spot !== undefined && keys.has(keyOf(spot))
  }
  const told = await storyIn(path, limit, (runs) => {
    const ids = new Set(lines.flatMap(({ idIn }) => runs.map(idIn)))
    return (text, position) =>
      ids.has(taskIn(text)?.id ?? 'none') || fitOf({ text, position }) !== undefined || isOfLine(text)
  })
  const traces = told?.traces ?? []
  if (fit !== 'exact' && !traces.some((trace) => fitOf(trace) === 'exact')) return { told, lines, traces }
  const isExact = (trace: Trace): boolean => fitOf(trace) === 'exact' || (fit === 'exact' && isOfLine(trace.text))
  return { told, lines: fit === 'exact' ? lines : [], traces: traces.filter(isExact) }
}

interface StoryParts {
  readonly found: Found
  readonly loaded: Loaded
  readonly around: Surroundings
  readonly failures: OwmError[]
}

/** Adds the story of the one place. */
async function addStory(result: WhyResult, { found, loaded, around, failures }: StoryParts): Promise<void> {
  const { lines } = found
  result.lines = lines.map(({ idIn: _, spot: __, ...line }) => line)
  const runs = found.told?.runs ?? []
  const ids = new Set([
    ...found.traces.flatMap(({ text }) => taskIn(text)?.id ?? []),
    ...lines.flatMap(({ idIn }) => runs.map(idIn)),
  ])
  const taken = lines.filter(({ leftOutBy, duplicateOf }) => leftOutBy === null && duplicateOf === null)
  const told = { line: taken.find(({ rejected }) => rejected === null) ?? taken[0], found }
  const first = runs.map((run) => storyOf(run, told, []))
  result.runs = first.filter((story) => story.isOfPlace)
  if (ids.size === 0) return
  try {
    await withSink(loaded, around, async (sink, name) => {
      result.sink = { name, address: addressOf(sink) }
      if (!sink.entries) return
      const seen = await entriesWith(sink, ids)
      const pipeline = await ownerOf(loaded, around.env)
      const stories: RunStory[] = []
      const where = { sink, address: addressNoted(sink, name), pipeline, elsewhere: found.told?.elsewhere }
      for (const run of runs) stories.push(await withGone(storyOf(run, told, seen), run, where))
      result.runs = stories.filter((story) => story.isOfPlace)
    })
  } catch (error) {
    if (!isOwmError(error)) throw error
    failures.push(error)
  }
}

interface Where {
  readonly sink: Sink
  /** As the outbox records it. */
  readonly address: string
  readonly pipeline: string
  readonly elsewhere: Told['elsewhere'] | undefined
}

/** Adds what became of a task that was delivered and isn't in the sink. */
async function withGone(story: RunStory, { run }: RunTold, where: Where): Promise<RunStory> {
  const { what, seq, entries } = story
  if (what !== 'delivered' || entries.length > 0) return story
  const { sink, address, pipeline, elsewhere } = where
  const others = seq === null ? [] : (elsewhere?.({ run, seq }, address) ?? [])
  if (others.length > 0) return { ...story, gone: goneAs('elsewhere', others) }
  const receipts: readonly Receipt[] = (await sink.receipts?.(pipeline, story.slot)) ?? []
  return { ...story, gone: await goneFrom(sink, receipts[0]) }
}

export type { Seen }
