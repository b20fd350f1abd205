/** Checks a pipeline without changing anything. */
import { resolve } from 'node:path'
import {
  ConfigurationError,
  errorKindOf,
  isOwmError,
  mistakesIn,
  type OwmError,
  TransientError,
  toError,
} from '../../errors/index.js'
import { anotherOutbox } from '../../files/rules.js'
import { volatileAt } from '../../files/volatile.js'
import type { SinkDeps, SourceDeps } from '../../pipeline/parts.js'
import type { LocationBatch } from '../../plugin.js'
import { ageInWords, paceInWords, paceOf } from '../../schedule/pace.js'
import { timetable } from '../../schedule/timetable.js'
import { cadenceKept } from '../filters.js'
import type { Loaded } from '../load.js'
import { ownOptions } from '../section.js'
import { type CheckedSource, firstBatch, type SeenSink, trySink } from './connect.js'
import { readable, usableOutbox, writableOutput } from './files.js'

export interface ConfigParts {
  /** @param without sections that are left out and not checked */
  configure(without: readonly string[]): Promise<Loaded>
  sourceOf(loaded: Loaded): Promise<CheckedSource>
  sinkOf(loaded: Loaded): Promise<SinkDeps>
  /** Throws OwmError if the outbox can't be read, or belongs to another configuration. */
  lookAtOutbox(loaded: Loaded): Promise<unknown>
  /** Throws ConfigurationError if the outbox has tasks for another sink than this one. */
  mustBeOwed(loaded: Loaded, sink: SeenSink): Promise<void>
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
  readonly check?: 'configuration-beside' | 'configuration-cadence'
}

/**
 * @param connect also opens the source and reads its first batch, and has the sink try what a delivery needs
 * @param all goes on with the other sections if one has mistakes
 */
export async function checkConfig(parts: ConfigParts, connect: boolean, all = connect): Promise<Finding[]> {
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
  parts: ConfigParts,
  connect: boolean,
  look: Look,
  without: readonly string[] = [],
): Promise<void> {
  const optionsAreRight = ({ name }: { name: string }): string => `${name}: its options are right`
  const withSource = !without.includes('source')
  const withSink = !without.includes('sink')
  const source = withSource ? await look('source', () => parts.sourceOf(once(loaded)), optionsAreRight) : undefined
  const sink = withSink ? await look('sink', () => parts.sinkOf(loaded), optionsAreRight) : undefined
  await checkFiles(loaded, { source, sink }, look)
  await checkTimes(loaded, look)
  if (!without.includes('outbox')) await checkOutbox(loaded, parts, look)
  if (connect) await checkConnections(loaded, { source, sink }, parts, look)
}

interface Plugins {
  source: CheckedSource | undefined
  sink: SinkDeps | undefined
}

/** The files of built-in plugins. */
async function checkFiles(loaded: Loaded, { source, sink }: Plugins, look: Look): Promise<void> {
  const list = source && pathIn(loaded, 'source', 'file')
  const target = sink?.name === 'jsonl' && pathIn(loaded, 'sink', 'path')
  const canBe = (path: string, what: string) => (): string => `${path} can be ${what}`
  if (list) await look('source', () => readable(list), canBe(list, 'read'))
  if (target) await look('sink', () => writableOutput(target), canBe(target, 'written'))
}

/** What `cadence` and `schedule` ask of each other. */
async function checkTimes(loaded: Loaded, look: Look): Promise<void> {
  const { cadence, schedule } = loaded.settings
  if (cadence)
    await look(
      'configuration',
      () => cadenceFits(loaded),
      (finding) => finding,
    )
  const tooShort = schedule && ageInWords(schedule.maxAge, timetable(schedule), Date.now())
  if (tooShort)
    await look(
      'schedule',
      async () => tooShort,
      ({ words, todo }) => ({ outcome: `${words}: a time that no start came for is missed for good`, warning: todo }),
    )
}

function checkOutbox(loaded: Loaded, { lookAtOutbox, trustFolder }: ConfigParts, look: Look): Promise<unknown> {
  const { schedule, outbox } = loaded.settings
  return look(
    'outbox',
    async () => {
      await usableOutbox(outbox.path, trustFolder)
      await lookAtOutbox(loaded)
      return schedule && (await volatileAt(outbox.path))?.why
    },
    (why) => ({
      outcome: `${outbox.path} can be written`,
      ...(why === undefined ? {} : { warning: `With \`schedule:\` it must last, but ${why}. ${anotherOutbox()}` }),
    }),
  )
}

async function checkConnections(
  loaded: Loaded,
  { source, sink }: Plugins,
  { judge, mustBeOwed }: ConfigParts,
  look: Look,
): Promise<void> {
  if (source)
    await look(
      'source',
      () => firstBatch(source, judge),
      ({ words, isEmpty }) => ({
        outcome: `${source.name} was opened; first batch: ${words}`,
        ...(isEmpty ? { warning: 'There is nothing to read: is that right?' } : {}),
      }),
    )
  if (sink)
    await look(
      'sink',
      () => trySink(sink, (seen) => mustBeOwed(loaded, seen)),
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
  ...(beside.length > 0 && {
    warning: `Beside it ${beside.join(', ')} doesn't count. Remove what isn't meant.`,
    check: 'configuration-beside',
  }),
})

/** The file that a plugin's option names; undefined for other options and for a standard stream. */
function pathIn(loaded: Loaded, section: 'source' | 'sink', key: string): string | undefined {
  const path = ownOptions(loaded, section)[key]
  return typeof path === 'string' && path !== '-' ? resolve(loaded.baseDir, path) : undefined
}
