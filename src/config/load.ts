/** Merges flags, environment, file and defaults, in this order of precedence. */
import { basename, resolve } from 'node:path'
import { ConfigurationError } from '../errors/index.js'
import { mustBeApart, type NamedFile } from '../files/apart.js'
import { compact } from '../lists.js'
import { isTree } from '../tasks/json/tree.js'
import { explain, secretsIn } from './explain.js'
import { roundedIn } from './file/digits.js'
import { baseDirOf, readConfigFile } from './file/index.js'
import { choosePipeline, namedAfter, partOf, pipelinesIn } from './pipelines.js'
import { addressesIn, Secrets } from './redact.js'
import { type Settings, settingsSchema } from './schema.js'
import { isOwn } from './section.js'
import { Origins } from './values/origins.js'
import { type Overrides, override, withoutEmpty } from './values/overrides.js'
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

/** @param isAgain reuses the last result or error: a pipe can't be read twice */
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
  const named = overrides.config ?? (env['OWM_CONFIG'] || undefined)
  const place = { named, cwd, looksOnly: flags.looksOnly }
  const found = flags.withoutFile ? undefined : await readOnce(place, flags.only !== undefined)
  const baseDir = found ? baseDirOf(found.file) : cwd
  const pipeline = await choosePipeline(found, overrides.pipeline ?? (env['OWM_PIPELINE'] || undefined), baseDir)
  const origins = new Origins(found, pipeline)
  origins.merged = found ? partOf(found.tree, pipeline) : {}
  const { withoutSource, only, asWritten = [] } = overrides
  const isLeftOut = (section: string): boolean => only?.includes(section) === false
  const without = [...(overrides.without ?? []), ...Object.keys(origins.merged).filter(isLeftOut)]
  const unused = compact(...without, withoutSource && 'source')
  const context = { env, secrets, baseDir, unused, asWritten }
  const { tree: merged, variables, references } = await expand(origins, context)
  origins.merged = merged
  const configured = isTree(merged['sink']) ? merged['sink']['use'] : undefined
  await override(merged, overrides, env, cwd, origins)
  // Only of a module: numbers in YAML and JSON keep their digits.
  const rounded = found && found.text === undefined ? roundedIn(merged) : []
  // Also of sections that are left out: what the outbox stores of earlier runs may contain their secrets.
  const reportTargets = [merged['notify'], isTree(merged['metrics']) ? merged['metrics']['pushgateway'] : undefined]
  secrets.add(...secretsIn(merged), ...addressesIn(reportTargets, cwd, baseDir, outboxIn(merged)))
  const plugins = [merged['source'], merged['sink']]
  const outboxAsWritten = outboxIn(merged)
  for (const section of Object.keys(merged)) if (without.includes(section) || isLeftOut(section)) delete merged[section]

  const checked = settingsSchema.safeParse(merged)
  if (!checked.success) {
    const placeOf = await origins.places()
    throw explain(checked.error, { value: merged, type: settingsSchema, prefix: [], placeOf, secrets })
  }
  const settings = checked.data
  clear(
    variables.filter(({ path }) => isOwn(path)),
    settingsSchema,
    0,
    secrets,
  )
  if (settings.taskNamespace === 'pipeline') settings.taskNamespace = await nameFor(pipeline, origins)
  const ownFile = (path: string, key: readonly string[]): string => {
    const file = resolve(baseDir, path)
    return pipeline !== undefined && origins.isShared(key) ? namedAfter(pipeline, file) : file
  }
  const { outbox, metrics } = settings
  const shared = resolve(baseDir, outbox.path)
  const ownOutbox = (path: string): string => ownFile(path, ['outbox', 'path'])
  const own = ownOutbox(outbox.path)
  outbox.path = trialOf(overrides, configured, own)
  const isNamedAfter = own !== shared && own === outbox.path
  const family = isNamedAfter ? { shared, pipelines: Object.keys(pipelinesIn(found)) } : undefined
  if (metrics?.textfile !== undefined) metrics.textfile = ownFile(metrics.textfile, ['metrics', 'textfile'])
  // Also checked if the outbox is left out.
  const path = outboxAsWritten === '' ? outbox.path : trialOf(overrides, configured, ownOutbox(outboxAsWritten))
  const apart = mustBeApart(filesIn(plugins, { ...settings, outbox: { path } }, found?.file, baseDir))
  // With the outbox left out only failures are reported; drop a metrics file that isn't ours.
  await (isLeftOut('outbox') ? apart.catch(() => delete metrics?.textfile) : apart)
  const origin = { file: found?.file, beside: found?.beside ?? [], named, baseDir, cwd, plugins }
  return { settings, pipeline, family, ...origin, secrets, variables, references, rounded, origins }
}

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

/** The names of all pipelines, in the file's order; none if the file has no `pipelines:`. */
export async function pipelinesOf(overrides: Overrides, env: Environment, cwd: string): Promise<string[]> {
  return Object.keys(pipelinesIn(await readConfigFile(overrides.config || env['OWM_CONFIG'] || undefined, cwd)))
}
