/**
 * Completes values from the configuration and the outbox: plugins, pipelines, runs, slots, dead tasks. Changes nothing.
 * Enter hasn't been pressed yet: a configuration in JavaScript isn't run, and a pipe isn't read.
 */
import { baseDirOf, namedConfig, readConfigFile } from '../config/file/index.js'
import { loadConfig } from '../config/load.js'
import { pipelinesIn } from '../config/pipelines.js'
import type { Found } from '../config/values/origins.js'
import type { Overrides } from '../config/values/overrides.js'
import type { Environment } from '../config/values/variables.js'
import { inspect, type Picture } from '../outbox/inspect/picture.js'
import { namesAt } from '../plugins/catalogue.js'
import type { Choice, Given, Question } from './line.js'

export interface Shell {
  env: Environment
  cwd: string
}

/** The possible values, or `files`, which the shell completes itself. Throws if they can't be read. */
export async function valuesOf({ value, typed, given }: Question, shell: Shell): Promise<Choice[] | 'files'> {
  if (!value) return []
  const kind = value.kind === 'NAME' ? value.name : value.kind
  const isPlugin = ['source', 'sink', 'PLUGIN'].includes(kind)
  if (['FILE', 'PATH', 'DIR'].includes(kind) || (isPlugin && /^[./~]/.test(typed))) return 'files'
  if (isPlugin) return pluginsOf(kind, given, shell)
  if (kind === 'pipeline') {
    return Object.keys(pipelinesIn(await fileFor(given, shell))).map((word) => ({ word, about: '' }))
  }
  const choicesOf = ofOutbox[kind]
  return choicesOf ? choicesOf(await outboxOf(given, shell)) : []
}

type OfOutbox = (picture: Pick<Picture, 'runs' | 'tasks'>) => Choice[]

const ids: OfOutbox = ({ runs }) => runs.map(({ runId, slot, state }) => ({ word: runId, about: `${slot}, ${state}` }))
const slots: OfOutbox = ({ runs }) => runs.map(({ slot, state }) => ({ word: slot, about: state }))
const idsAndSlots: OfOutbox = (picture) => [...ids(picture), ...slots(picture)]

/** The choices for each kind of value. */
const ofOutbox: Readonly<Record<string, OfOutbox>> = {
  ID: ids,
  TIME: slots,
  RUN: idsAndSlots,
  A: idsAndSlots,
  B: idsAndSlots,
  SEQ: ({ tasks }) => tasks.map(({ seq, lastError }) => ({ word: String(seq), about: lastError ?? '' })),
}

async function outboxOf(given: Given, shell: Shell): Promise<Pick<Picture, 'runs' | 'tasks'>> {
  const last = (name: string): string | undefined => given.get(name)?.at(-1)
  const flags = {
    config: pathIn(given, 'config', shell),
    pipeline: last('pipeline'),
    outbox: pathIn(given, 'outbox', shell),
  }
  // The secrets of source and sink aren't needed.
  const overrides: Overrides = { ...flags, set: given.get('set'), without: ['source', 'sink'], looksOnly: true }
  const { settings } = await loadConfig(overrides, shell.env, shell.cwd)
  const filter = { state: 'dead', run: undefined, location: undefined, limit: 50 } as const
  return (await inspect(settings.outbox.path, filter)) ?? { runs: [], tasks: [] }
}

/** Sources, sinks, or any plugin: the built-in ones, and packages that the configuration can import. */
async function pluginsOf(kind: string, given: Given, shell: Shell): Promise<Choice[]> {
  const found = await fileFor(given, shell).catch(() => undefined)
  const names = await namesAt(found ? baseDirOf(found.file) : shell.cwd)
  const other = { source: 'sink', sink: 'source' }[kind]
  const kinds = Object.entries(names).filter(([name]) => name !== other)
  return kinds.flatMap(([about, uses]) => uses.map((word) => ({ word, about })))
}

/** The configuration that the command would read. */
const fileFor = (given: Given, shell: Shell): Promise<Found | undefined> =>
  readConfigFile(namedConfig(pathIn(given, 'config', shell), shell.env), shell.cwd, true)

/** The last value of a flag that names a file. */
const pathIn = (given: Given, flag: string, { env }: Shell): string | undefined =>
  given
    .get(flag)
    ?.at(-1)
    ?.replace(/^~(?=\/)/, env['HOME'] ?? '~')
