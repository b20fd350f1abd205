/** Tries each answer to `owm init` at once: reads the list, asks the sink. */
import { resolve } from 'node:path'
import { trySink } from '../../../config/check/connect.js'
import { writableOutput } from '../../../config/check/files.js'
import { type Loaded, loadConfig } from '../../../config/load.js'
import { Secrets } from '../../../config/redact.js'
import { pluginOptions } from '../../../config/section.js'
import { exitCodes, isOwmError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import { healthOf } from '../../../outbox/inspect/health.js'
import { type DryRun, dryRun } from '../../../pipeline/dry-run.js'
import { dueIn } from '../../../pipeline/input/cadence.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import { sqlCatalogue } from '../../../sources/index.js'
import { slotOf } from '../../../tasks/slot.js'
import { type ChosenSource, type Surroundings, sinkOf, sourceOf } from '../../compose.js'
import { count, harmless, plural } from '../../format.js'
import type { Section } from './starter.js'

/** Stop reading the list after this long, in milliseconds: enough is known for a preview. */
const longestReading = 20_000

/** What `owm init --json` says of the list. `isWhole`: whether it was read to its end. */
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

/** A configuration of this section alone, without a file or the environment. */
async function loadedWith(name: 'source' | 'sink', section: Section, flag: string, folder: string): Promise<Loaded> {
  // Interactive: one attempt, no retries.
  const set = [`${name}=${JSON.stringify(section)}`, 'retry.attempts=1']
  // Its own secrets: a sink's whole URL counts as one, but the answer must be shown again.
  const loaded = await loadConfig({ set, withoutFile: true }, {}, folder, new Secrets())
  loaded.origins.note([name], { from: 'flag', name: flag })
  return loaded
}

/** The tables of the database in a section for `sql`. Throws OwmError; TransientError if it is down. */
export async function tablesOf(section: Section, folder: string, { signal }: Surroundings): Promise<Database> {
  const { catalogueOf, options } = await sqlCatalogue()
  const loaded = await loadedWith('source', { ...section, query: 'SELECT 1', key: 'id' }, '--list', folder)
  return catalogueOf(await pluginOptions(loaded, 'source', options), loaded.baseDir, signal)
}

export type Database = Awaited<ReturnType<Awaited<ReturnType<typeof sqlCatalogue>>['catalogueOf']>>

/** Reads the list. Throws OwmError; TransientError if it can't be read now. */
export async function checkList(section: Section, folder: string, around: Surroundings): Promise<CheckedList> {
  const loaded = await loadedWith('source', section, '--list', folder)
  const source = await sourceOf(loaded, around)
  const timeout = AbortSignal.timeout(longestReading)
  const preview = await readAll(source, loaded, AbortSignal.any([around.signal, timeout]), around)
  around.signal.throwIfAborted()
  if (preview.error) throw preview.error
  const { read, rejected, duplicates } = preview
  const counts = { read, rejected, duplicates, isWhole: !timeout.aborted }
  return { counts, said: countsInWords(counts, preview) }
}

async function readAll(source: ChosenSource, loaded: Loaded, signal: AbortSignal, { now }: Surroundings) {
  const namespace = loaded.settings.taskNamespace
  return dryRun(source, slotOf(now()), { namespace, dueOf: dueIn(undefined, { from: 0, to: 0 }), signal })
}

/** `1,234 locations, 3 rejected: latitude 91 is out of range (line 5)` */
function countsInWords({ read, rejected, duplicates, isWhole }: ListCounts, { rejects }: DryRun): string {
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
  /** Whether another outbox delivers to the same place. */
  isShared: boolean
}

/**
 * Asks the sink. Throws OwmError; TransientError if it can't be reached now.
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

/** By the sink's findings for `owm doctor`. */
async function hasOtherOutbox({ open }: SinkDeps, outbox: string, { now }: Surroundings): Promise<boolean> {
  const health = await healthOf(outbox).catch(() => undefined)
  const sink = await open()
  try {
    const found = (await sink.doctor?.({ outboxId: health?.outboxId, pending: 0, now })) ?? []
    return found.some(({ code, verdict }) => code.endsWith('-fences') && verdict === 'wrong')
  } finally {
    await sink.close?.()
  }
}

/** Whether it may pass by itself, such as a server that is down. */
export const isTransient = (thrown: unknown): boolean =>
  isOwmError(thrown) && thrown.exitCode === exitCodes.notDelivered
