/** Each answer to `owm init` is tried at once: the list is read, the sink is asked. */
import { resolve } from 'node:path'
import type { Loaded } from '../../../config/load.js'
import { exitCodes, isOwmError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import type { DryRun } from '../../../pipeline/dry-run.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import { sqlCatalogue } from '../../../sources/index.js'
import { slotOf } from '../../../tasks/slot.js'
import { type ChosenSource, type Surroundings, sinkOf, sourceOf } from '../../compose.js'
import { count, harmless, plural } from '../../format.js'
import type { Section } from './starter.js'

/** Milliseconds after which a list that goes on is known well enough. */
const longestReading = 20_000

/** What `owm init --json` says of the list; null where it wasn't read to its end. */
export interface ListCounts {
  read: number
  rejected: number
  duplicates: number
  isWhole: boolean
}

interface CheckedList {
  counts: ListCounts
  /** In words. */
  said: string
}

/** A configuration with this section alone: no file is read, no variable of the environment. */
async function loadedWith(name: 'source' | 'sink', section: Section, flag: string, folder: string): Promise<Loaded> {
  const [{ loadConfig }, { Secrets }] = await Promise.all([
    import('../../../config/load.js'),
    import('../../../config/redact.js'),
  ])
  // Somebody waits for the answer: one attempt.
  const set = [`${name}=${JSON.stringify(section)}`, 'retry.attempts=1']
  // With secrets of its own: to a sink all of its URL is one, and what was answered is shown again.
  const loaded = await loadConfig({ set, withoutFile: true }, {}, folder, new Secrets())
  loaded.origins.note([name], { from: 'flag', name: flag })
  return loaded
}

/** The tables of the database that a section for `sql` names. Throws OwmError; TransientError where it is down. */
export async function tablesOf(section: Section, folder: string, { signal }: Surroundings): Promise<Database> {
  const [{ pluginOptions }, { catalogueOf, options }] = await Promise.all([
    import('../../../config/section.js'),
    sqlCatalogue(),
  ])
  const loaded = await loadedWith('source', { ...section, query: 'SELECT 1', key: 'id' }, '--list', folder)
  return catalogueOf(await pluginOptions(loaded, 'source', options), loaded.baseDir, signal)
}

/** What a database has. */
export type Database = Awaited<ReturnType<Awaited<ReturnType<typeof sqlCatalogue>>['catalogueOf']>>

/** Reads the list. Throws OwmError; TransientError where it can't be had now. */
export async function checkList(section: Section, folder: string, around: Surroundings): Promise<CheckedList> {
  const loaded = await loadedWith('source', section, '--list', folder)
  const source = await sourceOf(loaded, around, () => undefined)
  const late = AbortSignal.timeout(longestReading)
  const found = await readAll(source, loaded, AbortSignal.any([around.signal, late]), around)
  around.signal.throwIfAborted()
  if (found.error) throw found.error
  const { read, rejected, duplicates } = found
  const counts = { read, rejected, duplicates, isWhole: !late.aborted }
  return { counts, said: wordsOf(counts, found) }
}

async function readAll(source: ChosenSource, loaded: Loaded, signal: AbortSignal, { now }: Surroundings) {
  const [{ dryRun }, { dueIn }] = await Promise.all([
    import('../../../pipeline/dry-run.js'),
    import('../../../pipeline/input/cadence.js'),
  ])
  const namespace = loaded.settings.taskNamespace
  return dryRun(source, slotOf(now()), { namespace, dueOf: dueIn(undefined, { from: 0, to: 0 }), signal })
}

/** `1,234 locations, 3 rejected: latitude 91 is out of range (line 5)` */
function wordsOf({ read, rejected, duplicates, isWhole }: ListCounts, { rejects }: DryRun): string {
  const [first] = rejects.commonest()
  const more = rejects.commonest().length > 1 ? 'most of them: ' : ''
  return compact(
    `${isWhole ? '' : 'the first '}${plural(read, 'location')}`,
    duplicates > 0 && plural(duplicates, 'duplicate'),
    rejected > 0 && `${count(rejected)} rejected: ${more}${harmless(`${first?.reason} (${first?.position})`)}`,
  ).join(', ')
}

interface CheckedSink {
  /** In words. */
  said: string
  /** Whether another outbox delivers there, too. */
  isShared: boolean
}

/**
 * Asks the sink. Throws OwmError; TransientError where it can't be reached now.
 * @param outbox the file that the outbox of this configuration is, or will be
 */
export async function checkSink(
  section: Section,
  folder: string,
  outbox: string,
  around: Surroundings,
): Promise<CheckedSink> {
  const loaded = await loadedWith('sink', section, '--to', folder)
  const sink: SinkDeps = await sinkOf(loaded, around, true)
  const { trySink, writableOutput } = await import('../../../config/check.js')
  const { path } = section
  if (section['use'] === 'jsonl' && typeof path === 'string') {
    await writableOutput(resolve(folder, path))
    return { said: `${path} can be written`, isShared: false }
  }
  const said = await trySink(sink)
  const isShared = await hasOtherOutbox(sink, outbox, around)
  return {
    said: isShared ? `${said}; another outbox delivers there, too: taskNamespace keeps their ids apart` : said,
    isShared,
  }
}

/** By the finding of `owm doctor` that says so. */
async function hasOtherOutbox({ open }: SinkDeps, outbox: string, { now }: Surroundings): Promise<boolean> {
  const { healthOf } = await import('../../../outbox/inspect/health.js')
  const health = await healthOf(outbox).catch(() => undefined)
  const sink = await open()
  try {
    const found = (await sink.doctor?.({ outboxId: health?.outboxId, pending: 0, now })) ?? []
    return found.some(({ code, verdict }) => code.endsWith('-fences') && verdict === 'wrong')
  } finally {
    await sink.close?.()
  }
}

/** Whether what was thrown may be right another time: a server is down. */
export const passes = (thrown: unknown): boolean => isOwmError(thrown) && thrown.exitCode === exitCodes.notDelivered
