/** Checks the source by reading its beginning; nothing is stored. */
import { errorKindOf, isOwmError, toError, withHint } from '../errors/index.js'
import type { Health } from '../outbox/inspect/health.js'
import { judgePage, minimumOf } from '../pipeline/input/minimum.js'
import { type Rejects, rejectsIn } from '../pipeline/input/rejects.js'
import type { SourceDeps } from '../pipeline/parts.js'
import type { Diagnosis, LocationBatch, Patient, Source } from '../plugin.js'
import { shardNameIn } from '../tasks/shard.js'
import { count, plural } from '../words.js'
import { codeFor } from './configuration.js'
import { ownDiagnoses } from './plugins.js'
import { fine, judged, unknown, wrong } from './verdict.js'

/** The share of the first page's locations that may be rejected. */
const mostRejected = 0.1

/** The least share of the last runs' locations. */
const leastShare = 0.5

/** Limits for counting a source's locations: with an API, each page is a call. */
const countingMs = 3_000
const countingPages = 50

interface SourceFound {
  readonly diagnoses: Diagnosis[]
  /** How many locations; 0 if they couldn't be counted. */
  readonly locations: number
}

export async function sourceChecks(
  deps: SourceDeps,
  patient: Patient,
  whole: Health['whole'] = [],
): Promise<SourceFound> {
  let source: Source | undefined
  try {
    source = await deps.open()
    const read = await readFrom(source)
    const own = await ownDiagnoses('source', deps, source, patient)
    // A shard is compared with itself.
    const runs = whole.filter(({ shard }) => shard === shardNameIn(deps.digest))
    const diagnoses = [...pageChecks(deps, read.first), ...countChecks(deps, read, runs), ...own]
    return { diagnoses, locations: read.locations ?? 0 }
  } catch (error) {
    const found = isOwmError(error) ? withHint(error) : `The source ${deps.name} failed: ${toError(error).message}`
    return { diagnoses: [wrong(codeFor('source', error), found)], locations: 0 }
  } finally {
    await source?.close?.()
  }
}

interface Read {
  readonly first: LocationBatch | undefined
  /** In total; undefined if they weren't counted to the end. */
  readonly locations: number | undefined
  /** How many of them were rejected; 0 if the source itself counted them. */
  readonly rejected: number
}

/** The first page and, if it can be known quickly, the total number of locations. */
async function readFrom(source: Source): Promise<Read> {
  const started = performance.now()
  let first: LocationBatch | undefined
  let [locations, rejected, pages] = [0, 0, 0]
  for await (const page of source.read(undefined)) {
    first ??= page
    locations += page.locations.length
    rejected += rejectsIn(page).count
    pages++
    if (source.total !== undefined) return { first, locations: source.total, rejected: 0 }
    if (pages >= countingPages || performance.now() - started > countingMs)
      return { first, locations: undefined, rejected }
  }
  return { first, locations, rejected }
}

function pageChecks(deps: SourceDeps, page: LocationBatch | undefined): Diagnosis[] {
  const rejects = page && rejectsIn(page)
  const read = page?.locations.length ?? 0
  const answers = fine('source-answers', `${deps.name} gave ${plural(read, 'location')} as its first page`)
  try {
    judgePage(deps, page)
  } catch (error) {
    if (errorKindOf(error) !== 'input') throw error
    return [answers, wrong('source-options', toError(error).message)]
  }
  const found =
    rejects === undefined || rejects.count === 0
      ? 'no location of the first page'
      : `${count(rejects.count)} of ${count(read)}: ${reasonsOf(rejects)}`
  const isMany = (rejects?.count ?? 0) > read * mostRejected
  return [answers, judged('source-rejects', isMany ? found : undefined, found)]
}

const reasonsOf = (rejects: Rejects): string =>
  rejects
    .commonest(3)
    .map(({ reason, count: times, position }) => `${reason} (${count(times)}, first ${position})`)
    .join('; ')

function countChecks(deps: SourceDeps, { locations, rejected }: Read, whole: Health['whole']): Diagnosis[] {
  if (locations === undefined) return [unknown('source-count', uncounted(whole)), shrunkCheck(whole)]
  const found = plural(locations, 'location') + (rejected > 0 ? `, ${count(rejected)} of them rejected` : '')
  const usable = locations - rejected
  // As a start asks, but with filters or a shard: `minLocations` is for what was given before those.
  const { locations: least, share } = minimumOf(deps, whole[0])
  if (!deps.given && usable < least) {
    const told = `${found}; source.minLocations is ${count(least)}`
    return [{ ...wrong('source-count', told), todo: correctOrLower('minLocations') }]
  }
  if (share) {
    const last = `the last run read ${count(share.of)} that could be used, and source.minShare is ${share.share}`
    const told = `${found}; ${last}`
    const isFew = usable < share.least
    return [
      { ...judged('source-count', isFew ? told : undefined, told), ...(isFew && { todo: correctOrLower('minShare') }) },
    ]
  }
  const before = Math.max(0, ...whole.map(({ read }) => read))
  const told = `${found}; the last runs read up to ${count(before)}`
  return [judged('source-count', locations < before * leastShare ? told : undefined, told)]
}

/** What a start that refuses the list says, too. */
const correctOrLower = (key: string): string => `Correct the list; if it is right, lower source.${key}.`

function uncounted([newest]: Health['whole']): string {
  const told = newest ? `; the newest run, of ${newest.slot}, read ${count(newest.read)}` : ''
  return `the list is too long to be counted here${told}`
}

/** Compares the runs, if the list itself is too long to be counted. */
function shrunkCheck([newest, before]: Health['whole']): Diagnosis {
  if (!newest || !before) return fine('source-shrunk', 'there are no two runs to compare')
  const found = `the newest run read ${plural(newest.read, 'location')}, the one before it ${count(before.read)}`
  return judged('source-shrunk', newest.read < before.read * leastShare ? found : undefined, found)
}
