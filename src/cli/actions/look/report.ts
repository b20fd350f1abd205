/** `owm report`: one HTML file that shows what the outbox holds and what the source will bring. */
import { open, readFile, realpath } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { wholeUnlessChosen } from '../../../config/filters.js'
import type { Loaded } from '../../../config/load.js'
import {
  ConfigurationError,
  isOfDisk,
  isOwmError,
  OutboxError,
  type OwmError,
  toError,
  UsageError,
} from '../../../errors/index.js'
import { statIfThere } from '../../../files/folders.js'
import { replaceFile } from '../../../files/replace.js'
import { overviewOf } from '../../../outbox/inspect/report.js'
import type { ReportPlan, ReportSource } from '../../../report/data.js'
import { dataOf, Given, mostPlaces, mostRuns } from '../../../report/gather.js'
import { type PageParts, pageOf } from '../../../report/html.js'
import type { Done } from '../../command.js'
import { onTimeIn, type Surroundings } from '../../compose.js'
import { megabytes, plural } from '../../format.js'
import { mustGoSomewhere, secrets } from '../../output.js'
import { ownerOf } from '../../owner.js'
import { mustNotBeOutbox } from '../outbox/export/output.js'
import { nothingPlanned, type PlanResult, plan, readRhythms } from '../plan/plan.js'
import { overLimitInWords } from '../plan/report.js'

/** What `owm report --json` prints. */
export interface ReportResult {
  /** The file; null if the report went to standard output or nothing was written. */
  file: string | null
  bytes: number
  /** What the report shows. */
  locations: number
  runs: number
  /** Whether the report leaves anything out: the outbox holds more. */
  isCut: boolean
}

export const nothingReported = (): ReportResult => ({ file: null, bytes: 0, locations: 0, runs: 0, isCut: false })

interface ReportFlags {
  out: string
  /** Whether to read the source. */
  source: boolean
}

interface Program {
  version: string
  /** Where owm is installed. */
  root: string
}

/** Fills `result` as it goes. If the source can't be read, the report is still written, and says why. */
export async function report(
  result: ReportResult,
  { out, source: readsSource }: ReportFlags,
  loaded: Loaded,
  program: Program,
  around: Surroundings,
): Promise<Done<ReportResult>> {
  const { settings } = loaded
  const path = out === '-' ? undefined : await fileAt(out, settings.outbox.path)
  if (path === undefined) await mustGoSomewhere()
  const given = new Given()
  const read = readsSource ? await readSource(wholeUnlessChosen(loaded, around.env), given, around) : undefined
  const overview = await overviewOf(settings.outbox.path, { runs: mostRuns, places: mostPlaces })
  const about = {
    version: program.version,
    madeAt: new Date(around.now()).toISOString(),
    outbox: settings.outbox.path,
    owner: overview?.owner ?? (await ownerOf(loaded, around.env)),
    sink: settings.sink?.use ?? '',
    plan: read?.plan ?? null,
    source: read?.source ?? null,
    scheduled: scheduledBy(loaded, around),
  }
  const data = dataOf(about, overview, given)
  const page = pageOf(data, await partsIn(program.root), (text) => secrets.redact(text))
  // A reader may close the pipe early. As for all output, a full disk is reported at the end.
  if (path === undefined) process.stdout.write(page)
  else await write(path, page)
  Object.assign(result, { file: path ?? null, bytes: Buffer.byteLength(page), isCut: data.notShown !== '' })
  Object.assign(result, { locations: data.places.count, runs: data.runs.length })
  const shown = `${plural(result.locations, 'location')} and ${plural(result.runs, 'run')}`
  const more = data.notShown === '' ? '' : `; not shown: ${data.notShown}`
  const summary = [`${path ?? 'standard output'}: ${shown}, ${megabytes(result.bytes)}${more}`]
  return { result, summary, errors: read?.error ? [read.error] : [] }
}

/** The times that a run may have covered: those older than `maxAge` are missed. */
function scheduledBy(loaded: Loaded, around: Surroundings): (from: number, to: number) => Iterable<number> {
  const schedule = onTimeIn(loaded, around)
  return (from, to) => schedule?.timetable.between(Math.max(from, to - schedule.maxAgeMs), to) ?? []
}

/**
 * Resolves the output path. Only an older report or an empty file is replaced, so that no list, outbox or sink file is
 * lost. Throws UsageError and ConfigurationError.
 */
async function fileAt(out: string, outbox: string): Promise<string> {
  const path = await realpath(out).catch(() => resolve(out))
  await mustNotBeOutbox(path, outbox)
  const [file, folder] = await Promise.all([path, dirname(path)].map((one) => statIfThere(one)))
  if (!folder?.isDirectory())
    throw new ConfigurationError(`There is no folder ${dirname(path)} for the report.`, {
      hint: 'Make it, or name another file: --out FILE.',
    })
  if (file && !file.isFile())
    throw new ConfigurationError(`${out} is no regular file.`, {
      hint: 'Name a file, such as --out report.html; --out - prints the report.',
    })
  if (file && file.size > 0 && !(await isReport(path)))
    throw new UsageError(`--out ${out} is there, and is no report of owm.`, {
      hint: 'Name another file, or remove this one first.',
    })
  return path
}

/** Recognised by its beginning, which is the same in every version. An unreadable file is no report. */
async function isReport(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined)
  const beginning = Buffer.alloc(4096)
  await file?.read(beginning).catch(() => undefined)
  await file?.close()
  return beginning.includes('<title>owm report</title>')
}

async function write(path: string, page: string): Promise<void> {
  try {
    await replaceFile(path, page, 0o644)
  } catch (error) {
    const what = `${path} can't be written: ${toError(error).message}`
    if (isOfDisk(error))
      throw new OutboxError(`${what}.`, { hint: 'Make room there, or name another file: --out FILE.', cause: error })
    throw new ConfigurationError(`${what}.`, {
      hint: 'Name a file in a folder that you may write to: --out FILE.',
      cause: error,
    })
  }
}

async function partsIn(root: string): Promise<PageParts> {
  const [template, style, script] = await Promise.all(
    [join('templates', 'report.html'), join('dist', 'report', 'style.css'), join('dist', 'report', 'page.js')].map(
      (file) => readFile(join(root, file), 'utf8'),
    ),
  )
  return { template: template ?? '', style: style ?? '', script: script ?? '' }
}

interface SourceRead {
  source: ReportSource
  plan: ReportPlan | null
  error: OwmError | undefined
}

/** Reads the source once: its locations and, with a schedule, the plan for the next 24 hours. */
async function readSource(loaded: Loaded, given: Given, around: Surroundings): Promise<SourceRead> {
  const { source, schedule } = loaded.settings
  const planned = nothingPlanned()
  const onPlace = given.add.bind(given)
  const error = await (schedule
    ? plan(planned, { hours: 24, check: false }, async () => loaded, around, onPlace).then(
        ({ errors = [] }) => errors[0],
      )
    : readRhythms(planned, loaded, around, onPlace).then((found) => found.error)
  ).catch((thrown: unknown) => {
    if (isOwmError(thrown)) return thrown
    throw thrown
  })
  const { read, rejected, duplicates, leftOut = 0 } = planned.source
  const trouble = error?.message ?? ''
  return {
    error,
    source: { name: source?.use ?? '', read, rejected, duplicates, leftOut, trouble },
    plan: schedule && planned.from !== null && trouble === '' ? planOf(planned) : null,
  }
}

function planOf({ cron, timezone, slots, day, currency, over }: PlanResult): ReportPlan {
  const { tasks, calls, cost } = day
  return {
    cron: cron ?? '',
    timezone: timezone ?? '',
    tasks,
    calls,
    cost,
    currency,
    over: over.map(overLimitInWords),
    slots: slots.map(({ slot, tasks, calls, callsPerMinute }) => ({ slot, tasks, calls, callsPerMinute })),
  }
}
