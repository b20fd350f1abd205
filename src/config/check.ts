/** Checks a pipeline without changing anything. */
import { randomUUID } from 'node:crypto'
import { access, constants, readlink, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import {
  ConfigurationError,
  codeOf,
  errorKindOf,
  isOwmError,
  mistakesIn,
  type OwmError,
  TransientError,
  toError,
} from '../errors/index.js'
import { whyUnmakeable } from '../files/disk.js'
import { statIfThere } from '../files/folders.js'
import {
  anotherOutbox,
  checkDatabase,
  checkFile,
  checkFolder,
  checkLength,
  checkOutput,
  RefusedFile,
} from '../files/rules.js'
import { volatileAt } from '../files/volatile.js'
import type { FilterCounts } from '../pipeline/input/filters/filters.js'
import type { SinkDeps, SourceDeps } from '../pipeline/parts.js'
import type { LocationBatch } from '../plugin.js'
import { loadSink } from '../plugins/load.js'
import { ageInWords, paceInWords, paceOf } from '../schedule/pace.js'
import { timetable } from '../schedule/timetable.js'
import { exactJson } from '../tasks/json/exact.js'
import { plural } from '../words.js'
import { cadenceKept } from './filters.js'
import type { Loaded } from './load.js'
import { ownOptions } from './section.js'

type CheckedSource = SourceDeps & { readonly filterCounts: FilterCounts | undefined }

export interface Parts {
  /** @param without sections that are left out and not checked */
  configure(without: readonly string[]): Promise<Loaded>
  sourceOf(loaded: Loaded): Promise<CheckedSource>
  sinkOf(loaded: Loaded): Promise<SinkDeps>
  /** Throws OwmError if the outbox can't be read, or belongs to another configuration. */
  lookAtOutbox(loaded: Loaded): Promise<unknown>
  /** `--trust-folder` */
  readonly trustFolder: boolean
  /**
   * The rejected locations of the first batch, in words; `page` is undefined if the source has none. Throws
   * InputRejectedError if no location is usable.
   */
  judge(source: SourceDeps, page: LocationBatch | undefined): string
}

/** What was checked, and the result: in words, or the error. */
export interface Finding {
  readonly about: 'configuration' | 'source' | 'sink' | 'outbox' | 'schedule'
  readonly outcome: string | OwmError
  /** What to do about something that is valid, but may not be intended. */
  readonly warning?: string
  /** The check of `owm doctor` that the warning belongs to, if it isn't the section's own. */
  readonly check?: 'configuration-cadence'
}

/**
 * @param connect also opens the source and reads its first batch, and has the sink try what a delivery needs
 * @param all goes on with the other sections if one has mistakes
 */
export async function checkConfig(parts: Parts, connect: boolean, all = connect): Promise<Finding[]> {
  const findings: Finding[] = []
  const look: Look = async (about, work, words) => {
    try {
      const value = await work()
      const said = words(value)
      findings.push({ about, ...(typeof said === 'string' ? { outcome: said } : said) })
      return value
    } catch (thrown) {
      if (errorKindOf(thrown) === 'usage') throw thrown
      const error = isOwmError(thrown) ? thrown : new TransientError(toError(thrown).message, { cause: thrown })
      for (const outcome of mistakesIn(error)) findings.push({ about, outcome })
      return undefined
    }
  }
  const loaded = await look('configuration', () => parts.configure([]), fileOf)
  if (loaded) await checkParts(loaded, parts, connect, look)
  // Leaves out the sections with mistakes and checks the others.
  const wrong = all ? sectionsIn(findings) : []
  const rest = loaded || wrong.length === 0 ? undefined : await parts.configure(wrong).catch(() => undefined)
  if (rest) await checkParts(rest, parts, connect, look, wrong)
  return findings
}

type Look = <T>(
  about: Finding['about'],
  work: () => Promise<T>,
  words: (value: T) => string | Omit<Finding, 'about'>,
) => Promise<T | undefined>

/** The sections in which mistakes were found. */
const sectionsIn = (findings: readonly Finding[]): string[] =>
  findings.flatMap(({ outcome }) => (outcome instanceof ConfigurationError ? (outcome.section ?? []) : []))

/** Interactive: one attempt, no retries. */
export const once = (loaded: Loaded): Loaded => ({
  ...loaded,
  settings: { ...loaded.settings, retry: { ...loaded.settings.retry, attempts: 1 } },
})

/** @param without sections that were left out */
async function checkParts(
  loaded: Loaded,
  { sourceOf, sinkOf, lookAtOutbox, trustFolder, judge }: Parts,
  connect: boolean,
  look: Look,
  without: readonly string[] = [],
): Promise<void> {
  const { settings } = loaded
  const right = ({ name }: { name: string }): string => `${name}: its options are right`
  const source = without.includes('source') ? undefined : await look('source', () => sourceOf(once(loaded)), right)
  const sink = without.includes('sink') ? undefined : await look('sink', () => sinkOf(loaded), right)
  const list = source && pathIn(loaded, 'source', 'file')
  if (list)
    await look(
      'source',
      () => readable(list),
      () => `${list} can be read`,
    )
  const target = sink?.name === 'jsonl' && pathIn(loaded, 'sink', 'path')
  if (target)
    await look(
      'sink',
      () => writableOutput(target),
      () => `${target} can be written`,
    )
  if (settings.cadence)
    await look(
      'configuration',
      () => cadenceFits(loaded),
      (words) => words,
    )
  const tooShort = settings.schedule && ageInWords(settings.schedule.maxAge, timetable(settings.schedule), Date.now())
  if (tooShort)
    await look(
      'schedule',
      async () => tooShort,
      ({ words, todo }) => ({ outcome: `${words}: a time that no start came for is missed for good`, warning: todo }),
    )
  const { path } = settings.outbox
  if (!without.includes('outbox'))
    await look(
      'outbox',
      async () => {
        await usableOutbox(path, trustFolder)
        await lookAtOutbox(loaded)
        return settings.schedule && (await volatileAt(path))?.why
      },
      (why) => ({
        outcome: `${path} can be written`,
        ...(why === undefined ? {} : { warning: `With \`schedule:\` it must last, but ${why}. ${anotherOutbox()}` }),
      }),
    )
  if (connect && source)
    await look(
      'source',
      () => firstBatch(source, judge),
      ({ words, isEmpty }) => ({
        outcome: `${source.name} was opened; first batch: ${words}`,
        ...(isEmpty ? { warning: 'There is nothing to read: is that right?' } : {}),
      }),
    )
  if (connect && sink)
    await look(
      'sink',
      () => trySink(sink),
      (words) => words,
    )
}

/** A schedule that runs less often than a cadence requires: a start only warns of it. */
export class ScheduleTooSlow extends ConfigurationError {}

/** Throws ConfigurationError if there is no schedule, or if it is too slow. */
async function cadenceFits(loaded: Loaded): Promise<Omit<Finding, 'about'>> {
  await cadenceKept(loaded)
  const { cadence, schedule } = loaded.settings
  const pace = cadence && schedule && paceOf(cadence, timetable(schedule), Date.now())
  const words = pace && paceInWords(pace)
  if (pace && words !== undefined && pace.tooShort.length > 0)
    throw new ScheduleTooSlow(`${words}.`, {
      hint: 'Let schedule.cron come as often as the shortest cadence, or make that longer.',
    })
  return {
    outcome: 'the schedule comes often enough for the cadence',
    ...(words === undefined ? {} : { warning: `${words}.`, check: 'configuration-cadence' }),
  }
}

const fileOf = ({ file, cwd, beside }: Loaded): Omit<Finding, 'about'> => ({
  outcome: file ?? `no file in ${cwd}: flags and environment only`,
  ...(beside.length > 0 && { warning: `Beside it ${beside.join(', ')} doesn't count. Remove what isn't meant.` }),
})

/** The file that a plugin's option names; undefined for other options and for a standard stream. */
function pathIn(loaded: Loaded, section: 'source' | 'sink', key: string): string | undefined {
  const path = ownOptions(loaded, section)[key]
  return typeof path === 'string' && path !== '-' ? resolve(loaded.baseDir, path) : undefined
}

async function readable(file: string): Promise<void> {
  try {
    if (!(await stat(file)).isDirectory()) return await access(file, constants.R_OK)
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : toError(error).message
    throw new ConfigurationError(`The file ${file} can't be read: ${why}.`, {
      hint: 'Correct source.file; a relative path starts at the configuration file.',
      cause: error,
    })
  }
  throw new ConfigurationError(`The list ${file} is a folder.`, { hint: 'Name a file in source.file.' })
}

/** Checks the file, or the folder where it would be created; with `withFolders` that may be missing, too. */
async function writable(file: string, key: string, withFolders: boolean): Promise<void> {
  for (let path = file; ; path = dirname(path)) {
    try {
      const isFolder = (await stat(path)).isDirectory()
      await access(path, constants.W_OK)
      const why = path === file ? undefined : await whyUnmakeable(file)
      if (why !== undefined) throw new Error(why)
      if (isFolder === (path !== file)) return
      throw new Error(isFolder ? 'it is a folder' : `${path} is not a folder`)
    } catch (error) {
      const isGone = codeOf(error) === 'ENOENT'
      // A folder can't be created in place of a dangling link.
      const target = isGone && path !== file ? await readlink(path).catch(() => undefined) : undefined
      const isFine = withFolders || path === file
      if (isGone && isFine && target === undefined && path !== dirname(path)) continue
      const why = target === undefined ? toError(error).message : `${path} is a link to ${target}, which isn't there`
      throw new ConfigurationError(`${file} can't be written: ${why}.`, {
        hint: `Correct ${key}, or the rights.`,
        cause: error,
      })
    }
  }
}

/** Throws ConfigurationError. */
export async function writableOutput(path: string): Promise<void> {
  await checkOutput(path).catch(refused(path, 'Name another file in sink.path.'))
  await writable(path, 'sink.path', false)
}

/**
 * For new configuration files: one that another user may replace wouldn't be trusted when it is found, and their link
 * could lead anywhere. Throws ConfigurationError.
 */
export async function mustBeSafe(files: readonly string[], trustFolder: boolean): Promise<void> {
  for (const file of files) {
    const refuse = refused(file, 'Start owm init in a folder of your own.')
    if (!trustFolder) await checkFolder(dirname(file)).catch(refuse)
    await checkFile(file).catch(refuse)
  }
}

const refused =
  (path: string, other: string) =>
  (error: unknown): never => {
    if (!(error instanceof RefusedFile)) throw error
    throw new ConfigurationError(`The file ${path} is refused: ${error.message}.`, {
      hint: error.hint(other),
      cause: error,
    })
  }

/** Applies the rules for opening an outbox; it and its folder needn't exist yet. Throws ConfigurationError. */
export async function usableOutbox(path: string, trustFolder: boolean): Promise<void> {
  const refuse = refused(path, anotherOutbox())
  await checkLength(path).catch(refuse)
  await writable(path, 'outbox.path', true)
  for (const file of [path, `${path}-lock`]) await checkDatabase(file).catch(refuse)
  const isThere = (await statIfThere(dirname(path))) !== undefined
  if (!isThere) return
  await access(dirname(path), constants.W_OK).catch((thrown: unknown) => {
    const cause = toError(thrown)
    throw new ConfigurationError(`${path} can't be written: SQLite makes files beside it, and ${cause.message}.`, {
      hint: 'Make its folder writable for this user, or correct outbox.path.',
      cause,
    })
  })
  if (!trustFolder) await checkFolder(dirname(path)).catch(refuse)
}

async function firstBatch(checked: CheckedSource, judge: Parts['judge']): Promise<{ words: string; isEmpty: boolean }> {
  const { open, filterCounts } = checked
  const source = await open()
  const batches = source.read(undefined)[Symbol.asyncIterator]()
  try {
    const first = await batches.next()
    await batches.return?.()
    const read = first.done ? 0 : first.value.locations.length
    const leftOut = filterCounts && filterCounts.leftOut > 0 ? ` (${filterCounts.leftOut} left out by filters)` : ''
    const judged = judge(checked, first.done ? undefined : first.value)
    return { words: `${plural(read, 'location')} read${leftOut}${judged}`, isEmpty: first.done === true }
  } finally {
    await source.close?.()
  }
}

/** Calls only what doesn't write. jsonl isn't even opened, since that creates its file. */
export async function trySink({ name, open }: SinkDeps): Promise<string> {
  if (name === 'jsonl') return 'jsonl: there is nothing to connect to'
  const sink = await open()
  try {
    if (sink.check) {
      await sink.check()
      return `${name} was opened and answered`
    }
    if (!sink.position) return `${name} was opened; it can't be asked anything without being written to`
    await sink.position(randomUUID())
    return `${name} was opened and answered`
  } finally {
    await sink.close?.()
  }
}

/**
 * Warns of pipelines that share a stream and a `taskNamespace`: if they use the same ids for different locations,
 * workers take the second one's tasks for the first one's.
 */
export async function sharedIds(all: readonly Loaded[]): Promise<Finding[]> {
  const streams = await Promise.all(all.map(async (loaded) => ({ loaded, stream: await streamOf(loaded) })))
  return streams.flatMap(({ loaded, stream }, index) =>
    streams
      .slice(index + 1)
      .filter((other) => stream === other.stream)
      .map((other) => other.loaded)
      .filter((other) => loaded.settings.taskNamespace === other.settings.taskNamespace)
      .filter((other) => listOf(loaded) !== listOf(other))
      .map((other) => ({
        about: 'sink' as const,
        outcome:
          `${loaded.pipeline} and ${other.pipeline} deliver to one stream: ` +
          'where their locations have the same ids, so have the tasks of different places.',
        warning:
          'Give each a taskNamespace, or all of them `taskNamespace: pipeline`; it changes their task ids, once.',
      })),
  )
}

/** Identifies a sink's stream: its address, or all of its options. */
async function streamOf(loaded: Loaded): Promise<string> {
  const { use = '' } = loaded.settings.sink ?? {}
  const options = ownOptions(loaded, 'sink')
  const plugin = await loadSink(use, loaded.baseDir).catch(() => undefined)
  const checked = plugin?.options.safeParse(options)
  const address = checked?.success ? plugin?.address?.(checked.data, loaded.baseDir) : undefined
  return exactJson([use, address ?? options]) ?? ''
}

/** Identifies the list that a source reads. Shards and filters of one list never give two places the same id. */
const listOf = (loaded: Loaded): string => exactJson([loaded.settings.source?.use, ownOptions(loaded, 'source')]) ?? ''
