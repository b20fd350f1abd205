/** Merges flags, environment, file and defaults, in this order of precedence. */
import { basename, resolve } from 'node:path'
import { ConfigurationError } from '../errors/index.js'
import { mustBeApart, type NamedFile } from '../files/apart.js'
import { namedAfter } from '../files/folders.js'
import { compact } from '../lists.js'
import { isTree } from '../tasks/json/tree.js'
import { explain } from './explain.js'
import { roundedIn } from './file/digits.js'
import { baseDirOf, namedConfig, readConfigFile } from './file/index.js'
import { choosePipeline, partOf, pipelinesIn } from './pipelines.js'
import { addressesIn, Secrets } from './redact.js'
import { type Settings, settingsSchema } from './schema.js'
import { isOwn } from './section.js'
import { type Found, Origins } from './values/origins.js'
import { type Overrides, override, withoutEmpty } from './values/overrides.js'
import { secretsIn } from './values/secrets.js'
import { clear, type Environment, expand, type References, type Variable } from './values/variables.js'

export interface Loaded {
  settings: Settings
  /** The pipeline's name; undefined if the file has no `pipelines:`. */
  pipeline: string | undefined
  /** If the outbox is named after the pipeline: the path without its name, and the names of all pipelines. */
  family: { shared: string; pipelines: readonly string[] } | undefined
  /** The file that was read, if any. */
  file: string | undefined
  /** Names of other configurations in the folder of one that was found, which don't count. */
  beside: readonly string[]
  /** The file as a flag or the environment named it; undefined if it was found, or there is none. */
  named: string | undefined
  /** Where relative paths in options start. */
  baseDir: string
  /** Where the search for the file began. */
  cwd: string
  /** The sections of source and sink as given, even if they are left out. */
  plugins: readonly unknown[]
  /** What must not be shown. */
  secrets: Secrets
  /** The values from the environment. */
  variables: readonly Variable[]
  references: References
  /** Keys of numbers that JavaScript has already rounded: `source.where.id`. */
  rounded: readonly string[]
  origins: Origins
}

let latest: { key: string; found: ReturnType<typeof readConfigFile> } | undefined

/** @param isAgain reuses the last result or error: a pipe can't be read twice, and a long file takes seconds */
function readOnce(
  { named, cwd, looksOnly }: { named: string | undefined; cwd: string; looksOnly: boolean | undefined },
  isAgain: boolean,
): ReturnType<typeof readConfigFile> {
  const key = JSON.stringify([named, cwd, looksOnly])
  if (!isAgain || latest?.key !== key) latest = { key, found: readConfigFile(named, cwd, looksOnly) }
  return latest.found
}

/** Reads the configuration of one pipeline. Throws ConfigurationError, UsageError. */
export async function loadConfig(
  flags: Overrides,
  env: Environment,
  cwd: string,
  secrets = new Secrets(),
): Promise<Loaded> {
  const overrides = withoutEmpty(flags)
  const named = namedConfig(overrides.config, env)
  const which = { named, cwd, looksOnly: flags.looksOnly }
  const found = flags.withoutFile ? undefined : await readOnce(which, flags.isAgain || flags.only !== undefined)
  const baseDir = found ? baseDirOf(found.file) : cwd
  const pipeline = await choosePipeline(found, namedPipeline(overrides, env), baseDir)
  const origins = new Origins(found, pipeline)
  origins.merged = found ? partOf(found.tree, pipeline) : {}
  const isLeftOut = (section: string): boolean => overrides.only?.includes(section) === false
  const without = [...(overrides.without ?? []), ...Object.keys(origins.merged).filter(isLeftOut)]
  const merging = { env, cwd, secrets, baseDir, without }
  const { merged, variables, references, configuredSink } = await merge(origins, overrides, merging)
  // Only of a module: numbers in YAML and JSON keep their digits.
  const rounded = found && found.text === undefined ? roundedIn(merged) : []
  // Also of sections that are left out: what the outbox stores of earlier runs may contain their secrets.
  const reportTargets = [merged['notify'], isTree(merged['metrics']) ? merged['metrics']['pushgateway'] : undefined]
  secrets.add(...secretsIn(merged), ...addressesIn(reportTargets, cwd, baseDir, outboxIn(merged)))
  const plugins = [merged['source'], merged['sink']]
  const outboxAsWritten = outboxIn(merged)
  for (const section of Object.keys(merged)) if (without.includes(section) || isLeftOut(section)) delete merged[section]

  const settings = await parsed(origins, variables, secrets, pipeline)
  const place = { found, pipeline, origins, baseDir, overrides, configuredSink }
  const family = settlePaths(settings, place)
  // Also checked if the outbox is left out.
  const path = outboxAsWritten === '' ? settings.outbox.path : outboxAt(outboxAsWritten, place)
  const apart = mustBeApart(filesIn(plugins, { ...settings, outbox: { path } }, found?.file, baseDir))
  // With the outbox left out only failures are reported; drop a metrics file that isn't ours.
  await (isLeftOut('outbox') ? apart.catch(() => delete settings.metrics?.textfile) : apart)
  const origin = { file: found?.file, beside: found?.beside ?? [], named, baseDir, cwd, plugins }
  return { settings, pipeline, family, ...origin, secrets, variables, references, rounded, origins }
}

/** Fills in variables and flags. `configuredSink` is the sink's plugin without the flags. */
async function merge(
  origins: Origins,
  overrides: Overrides,
  { without, ...context }: { env: Environment; cwd: string; secrets: Secrets; baseDir: string; without: string[] },
) {
  const { withoutSource, asWritten = [] } = overrides
  const unused = compact(...without, withoutSource && 'source')
  const { tree: merged, ...expanded } = await expand(origins, { ...context, unused, asWritten })
  origins.merged = merged
  const configuredSink = isTree(merged['sink']) ? merged['sink']['use'] : undefined
  await override(merged, overrides, context.env, context.cwd, origins)
  return { merged, ...expanded, configuredSink }
}

async function parsed(
  origins: Origins,
  variables: readonly Variable[],
  secrets: Secrets,
  pipeline: string | undefined,
): Promise<Settings> {
  const checked = settingsSchema.safeParse(origins.merged)
  if (!checked.success) {
    const placeOf = await origins.places()
    throw explain(checked.error, { value: origins.merged, type: settingsSchema, prefix: [], placeOf, secrets })
  }
  const own = variables.filter(({ path }) => isOwn(path))
  clear(own, settingsSchema, 0, secrets)
  const settings = checked.data
  if (settings.taskNamespace === 'pipeline') settings.taskNamespace = await nameFor(pipeline, origins)
  return settings
}

interface Place {
  found: Found | undefined
  pipeline: string | undefined
  origins: Origins
  baseDir: string
  overrides: Overrides
  configuredSink: unknown
}

/** Makes the paths of a pipeline's own files absolute. Returns `Loaded.family`. */
function settlePaths({ outbox, metrics }: Settings, place: Place): Loaded['family'] {
  const shared = resolve(place.baseDir, outbox.path)
  const own = ownFile(outbox.path, ['outbox', 'path'], place)
  outbox.path = outboxAt(outbox.path, place)
  if (metrics?.textfile !== undefined) metrics.textfile = ownFile(metrics.textfile, ['metrics', 'textfile'], place)
  const isNamedAfter = own !== shared && own === outbox.path
  return isNamedAfter ? { shared, pipelines: Object.keys(pipelinesIn(place.found)) } : undefined
}

/** Named after the pipeline if the section is one that all pipelines share. */
function ownFile(path: string, key: readonly string[], { baseDir, pipeline, origins }: Place): string {
  const file = resolve(baseDir, path)
  return pipeline !== undefined && origins.isShared(key) ? namedAfter(pipeline, file) : file
}

const outboxAt = (path: string, place: Place): string =>
  trialOf(place.overrides, place.configuredSink, ownFile(path, ['outbox', 'path'], place))

/** The outbox's path, as written; empty if there is none. */
const outboxIn = ({ outbox }: Record<string, unknown>): string =>
  isTree(outbox) && typeof outbox['path'] === 'string' ? outbox['path'] : ''

/** The files that a pipeline uses. Only of built-in plugins is it known which options are paths. */
function filesIn(
  [source, sink]: readonly unknown[],
  { outbox, metrics }: { outbox: { path: string }; metrics?: Settings['metrics'] },
  file: string | undefined,
  baseDir: string,
): NamedFile[] {
  const option = (section: unknown, use: string, key: string): string[] => {
    const path = isTree(section) && section['use'] === use ? section[key] : undefined
    return typeof path === 'string' && path !== '-' ? [resolve(baseDir, path)] : []
  }
  return compact<NamedFile>(
    file !== undefined && { key: 'the configuration', path: file },
    ...option(source, 'static-list', 'file').map((path) => ({ key: 'source.file', path })),
    ...option(sink, 'jsonl', 'path').map((path) => ({ key: 'sink.path', path, beside: /^\.(lock|receipts)$/ })),
    { key: 'outbox.path', path: outbox.path, beside: /^-(wal|shm|journal|lock|signals(-\d+-of-\d+)?)$/ },
    metrics?.textfile !== undefined && {
      key: 'metrics.textfile',
      path: metrics.textfile,
      beside: /^-\d+-of-\d+$/,
      ending: '.prom',
    },
  )
}

/**
 * The outbox of a trial, that is, of `--sink` with another plugin than the configured one: what a trial delivers must
 * not count as delivered, nor the other way round. An outbox that is named as well is used instead.
 */
function trialOf({ produces, sink, outbox, set = [] }: Overrides, configured: unknown, path: string): string {
  const isNamed = outbox !== undefined || set.some((one) => one.startsWith('outbox.path='))
  if (!produces || sink === undefined || configured === undefined || sink === configured || isNamed) return path
  // guard: trial-outbox
  return `${path}-trial-${basename(sink).replaceAll(/[^\w.@-]/g, '-')}.db`
}

async function nameFor(pipeline: string | undefined, origins: Origins): Promise<string> {
  if (pipeline !== undefined) return pipeline
  throw new ConfigurationError(`taskNamespace ${await origins.place(['taskNamespace'])}: there is no pipeline.`, {
    hint: 'Set a text of its own, or put the sections under a name in `pipelines:`.',
    section: 'taskNamespace',
  })
}

const namedPipeline = ({ pipeline }: Overrides, env: Environment): string | undefined =>
  pipeline || env['OWM_PIPELINE'] || undefined

/** The named pipeline, or else all of them in the file's order; none if the file has no `pipelines:`. */
export async function pipelinesOf(overrides: Overrides, env: Environment, cwd: string): Promise<string[]> {
  const named = namedPipeline(overrides, env)
  if (named !== undefined) return [named]
  const which = { named: namedConfig(overrides.config, env), cwd, looksOnly: overrides.looksOnly }
  return Object.keys(pipelinesIn(await readOnce(which, false)))
}
