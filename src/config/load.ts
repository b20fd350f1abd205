/** One configuration out of flags, environment, file and defaults, in this order. */
import { basename, resolve } from 'node:path'
import type * as z from 'zod'
import { ConfigurationError, errorKindOf, toError, UsageError } from '../errors/index.js'
import { mustBeApart, type NamedFile } from '../files/apart.js'
import { SchemaPlace } from '../plugins/schema.js'
import { isTree, type Tree } from '../tasks/json/tree.js'
import { explain, secretsIn } from './explain.js'
import { roundedIn } from './file/digits.js'
import { baseDirOf, readConfigFile } from './file/index.js'
import { parseJson, parseYaml } from './file/syntax.js'
import { Origins } from './origins.js'
import { choose, choosePipeline, namedAfter, partOf, pipelinesIn } from './pipelines.js'
import { addressesIn, isSecretName, Secrets } from './redact.js'
import { commonKeys, type Settings, settingsSchema } from './schema.js'
import { expand, type References, type Variable } from './variables.js'

/** The environment's variables; not `NodeJS.ProcessEnv`, so that owm's types need no other package. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Overrides {
  config?: string | undefined
  pipeline?: string | undefined
  source?: string | undefined
  sink?: string | undefined
  outbox?: string | undefined
  /** `i/n` */
  shard?: string | undefined
  /** `PATH=VALUE`, each. */
  set?: readonly string[] | undefined
  /** Whether tasks are made: with another sink than the configured one that is a trial. */
  produces?: boolean
  /** Whether the source isn't used: then its variables needn't be set. */
  withoutSource?: boolean
  /** Sections in which `${NAME}` stays as it is written, for who shows them. */
  asWritten?: readonly string[]
  /** Sections that are left out, as if they stood nowhere. */
  without?: readonly string[]
  /** All others are left out, whatever is wrong with them. */
  only?: readonly string[] | undefined
  /** Nobody has asked for work yet: a configuration that is code or a pipe is an error. */
  looksOnly?: boolean
  /** Whether no file is read: there is none yet. */
  withoutFile?: boolean
}

export interface Loaded {
  settings: Settings
  /** Which one of several, if there are several. */
  pipeline: string | undefined
  /** Where its outbox is named after it: the path that it shares with others, and the names of all pipelines. */
  family: { shared: string; pipelines: readonly string[] } | undefined
  /** The file that was read, if any. */
  file: string | undefined
  /** Names of other configurations in the folder of one that was found: they don't count. */
  beside: readonly string[]
  /** The file as a flag or the environment named it; undefined where it was found, or there is none. */
  named: string | undefined
  /** Where relative paths in options start. */
  baseDir: string
  /** Where the file was looked for. */
  cwd: string
  /** The sections of source and sink as they are given, also where they are left out. */
  plugins: readonly unknown[]
  /** What must not be shown. */
  secrets: Secrets
  /** What came out of the environment. */
  variables: readonly Variable[]
  references: References
  /** Keys of numbers that JavaScript itself has rounded: `source.where.id`. */
  rounded: readonly string[]
  origins: Origins
}

let latest: { key: string; found: ReturnType<typeof readConfigFile> } | undefined

/** @param isAgain whether what was read or refused last will do: a pipe can't be read twice */
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
  const unused = [...without, ...(withoutSource ? ['source'] : [])]
  const context = { env, secrets, baseDir, unused, asWritten }
  const { tree: merged, variables, references } = await expand(origins, context)
  origins.merged = merged
  const configured = isTree(merged['sink']) ? merged['sink']['use'] : undefined
  await override(merged, overrides, env, cwd, origins)
  // In YAML and JSON they keep their digits.
  const rounded = found && found.text === undefined ? roundedIn(merged) : []
  // Also of sections that are left out: what the outbox holds of earlier runs may have their secrets.
  const told = [merged['notify'], isTree(merged['metrics']) ? merged['metrics']['pushgateway'] : undefined]
  secrets.add(...secretsIn(merged), ...addressesIn(told, cwd, baseDir, outboxIn(merged)))
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
  // Also of an outbox that is left out.
  const path = outboxAsWritten === '' ? outbox.path : trialOf(overrides, configured, ownOutbox(outboxAsWritten))
  const apart = mustBeApart(filesIn(plugins, { ...settings, outbox: { path } }, found?.file, baseDir))
  // Without the outbox only a failure is told, and not into a file that is another's.
  await (isLeftOut('outbox') ? apart.catch(() => delete metrics?.textfile) : apart)
  const about = { file: found?.file, beside: found?.beside ?? [], named, baseDir, cwd, plugins }
  return { settings, pipeline, family, ...about, secrets, variables, references, rounded, origins }
}

/** The path of the outbox, as it is written. */
const outboxIn = ({ outbox }: Record<string, unknown>): string =>
  isTree(outbox) && typeof outbox['path'] === 'string' ? outbox['path'] : ''

/** The files that a pipeline works with. Which of a plugin's options are paths is known of those of owm alone. */
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
  return [
    ...(file === undefined ? [] : [{ key: 'the configuration', path: file }]),
    ...option(source, 'static-list', 'file').map((path) => ({ key: 'source.file', path })),
    ...option(sink, 'jsonl', 'path').map((path) => ({ key: 'sink.path', path, beside: /^\.(lock|receipts)$/ })),
    { key: 'outbox.path', path: outbox.path, beside: /^-(wal|shm|journal|lock|signals(-\d+-of-\d+)?)$/ },
    ...(metrics?.textfile === undefined
      ? []
      : [{ key: 'metrics.textfile', path: metrics.textfile, beside: /^-\d+-of-\d+$/, ending: '.prom' }]),
  ]
}

/** An empty text is none: so templates write what has no value. */
function withoutEmpty(flags: Overrides): Overrides {
  const { config, pipeline, source, sink, outbox, shard } = flags
  const texts = Object.entries({ config, pipeline, source, sink, outbox, shard })
  return { ...flags, ...Object.fromEntries(texts.map(([name, text]) => [name, text === '' ? undefined : text])) }
}

/**
 * The outbox of a trial, `--sink` with another plugin than the configured one: what is tried must not count as
 * delivered, nor the other way round. Where an outbox is named as well, it is that.
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

/** Whether a path leads to one of owm's own settings, not to a plugin's option. */
function isOwn([section, key = '']: readonly string[]): boolean {
  return (section !== 'source' && section !== 'sink') || key === 'use' || commonKeys[section].includes(key)
}

/** What stands where the schema knows of no secret is none. `depth`: of the schema's root in the paths. */
function clear(variables: readonly Variable[], type: z.ZodType, depth: number, secrets: Secrets): void {
  if (variables.length === 0) return
  const root = SchemaPlace.rootOf(type)
  for (const { path, value } of variables) {
    const places = root.flatMap((place) => place.at(path.slice(depth)))
    if (places.length > 0 && !places.some(({ isSecret }) => isSecret) && !path.some(isSecretName)) secrets.clear(value)
  }
}

/** The names of all pipelines, in the file's order; none where the file has no `pipelines:`. */
export async function pipelinesOf(overrides: Overrides, env: Environment, cwd: string): Promise<string[]> {
  return Object.keys(pipelinesIn(await readConfigFile(overrides.config || env['OWM_CONFIG'] || undefined, cwd)))
}

// --- flags and environment ---

/** Changes `merged`, and notes in `origins` where each value came from. Throws UsageError. */
async function override(
  merged: Tree,
  overrides: Overrides,
  env: Environment,
  cwd: string,
  origins: Origins,
): Promise<void> {
  for (const section of ['source', 'sink'] as const) {
    const variable = `OWM_${section.toUpperCase()}`
    const flag = overrides[section]
    const name = flag ?? env[variable]
    if (!name) continue
    merged[section] = choose(section, merged[section], name)
    const origin = flag === undefined ? fromEnvironment(variable) : fromFlag(`--${section}`)
    origins.note([section, 'use'], origin)
  }
  const path = overrides.outbox ?? env['OWM_OUTBOX']
  if (path) {
    put(merged, ['outbox', 'path'], resolve(cwd, path))
    const origin = overrides.outbox === undefined ? fromEnvironment('OWM_OUTBOX') : fromFlag('--outbox')
    origins.note(['outbox', 'path'], origin)
  }
  putRedisUrl(merged, env['OWM_REDIS_URL'], origins)
  for (const assignment of overrides.set ?? []) await assign(merged, assignment, origins)
  if (overrides.shard !== undefined) putShard(merged, overrides.shard, origins)
}

const fromFlag = (name: string) => ({ from: 'flag', name }) as const
const fromEnvironment = (name: string) => ({ from: 'environment', name }) as const

/** For the sink redis-stream, which is the one that is meant where none is configured. */
function putRedisUrl(merged: Tree, url: string | undefined, origins: Origins): void {
  if (!url) return
  const origin = fromEnvironment('OWM_REDIS_URL')
  if (merged['sink'] === undefined) origins.note(['sink', 'use'], origin)
  merged['sink'] ??= { use: 'redis-stream' }
  const { sink } = merged
  if (!isTree(sink) || sink['use'] !== 'redis-stream') return
  sink['url'] = url
  origins.note(['sink', 'url'], origin)
}

/** `--set PATH=VALUE` */
async function assign(merged: Tree, assignment: string, origins: Origins): Promise<void> {
  const equals = assignment.indexOf('=')
  if (equals < 1)
    throw new UsageError(`--set ${assignment}: PATH=VALUE is expected.`, {
      hint: 'For example: --set source.count=1000',
    })
  const key = assignment.slice(0, equals).split('.')
  put(merged, key, await literal(assignment.slice(equals + 1), key))
  origins.note(key, fromFlag(`--set ${key.join('.')}`))
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined || key === '' || key === '__proto__')
    throw new UsageError(`--set ${path.join('.')}: a part of the path is empty or not allowed.`, {
      hint: 'For example: --set source.count=1000',
    })
  if (rest.length === 0) tree[key] = value
  else {
    const inner = tree[key]
    const next: Tree = isTree(inner) ? inner : {}
    tree[key] = next
    put(next, rest, value)
  }
}

/** `1000`, `true`, `[DE, AT]` and `{gte: 5}` are values, as in a file; anything else is text. */
async function literal(text: string, key: readonly string[]): Promise<unknown> {
  // Not `{owm}`, which may be a stream's name.
  const isNested = /^\s*(\[.*\]|\{.*:.*\})\s*$/s.test(text)
  try {
    return await (isNested ? parseYaml(text, key) : parseJson(text, key))
  } catch (error) {
    if (!isNested) return text
    throw new UsageError(`--set ${key.join('.')}: its list or object can't be read: ${toError(error).message}.`, {
      hint: 'For example: --set \'source.where.country=["DE","AT"]\'',
    })
  }
}

/** `--shard i/n` stands for both settings, `shard` and `shards`. */
function putShard(merged: Tree, given: string, origins: Origins): void {
  const [index = 0, count = 0] = /^\d{1,6}\/\d{1,6}$/.test(given) ? given.split('/').map(Number) : []
  if (index >= count)
    throw new UsageError(`--shard ${given}: i/n is expected, with i from 0 to n-1.`, {
      hint: 'For example: --shard 0/3, --shard 1/3 and --shard 2/3.',
    })
  const { source } = merged
  if (!isTree(source)) return // an error that there is none follows
  source['shard'] = given
  delete source['shards']
  origins.note(['source', 'shard'], fromFlag('--shard'))
}

// --- sections that name a plugin ---

type Section = 'source' | 'sink'

/** A section that a command can't do without. Throws ConfigurationError. */
export function section<Name extends Section>(
  { settings, file, cwd }: Loaded,
  name: Name,
): NonNullable<Settings[Name]> {
  const given = settings[name]
  if (given !== undefined) return given
  throw file === undefined
    ? new ConfigurationError(`There is no configuration in ${cwd}, and no ${name} was named.`, {
        hint: '`owm init` writes a starter .owmrc.yaml; --config FILE names an existing file.',
      })
    : new ConfigurationError(`No ${name} is configured in ${file}.`, {
        hint: `Add \`${name}: {use: …}\`, or name one with --${name}.`,
      })
}

/** A plugin's own options as the configuration has them: without owm's. */
export function ownOptions(loaded: Loaded, name: Section): Record<string, unknown> {
  const given = Object.entries(section(loaded, name))
  return Object.fromEntries(given.filter(([key]) => key !== 'use' && !commonKeys[name].includes(key)))
}

/** Checks a plugin's own options against its schema. Throws ConfigurationError. */
export async function pluginOptions<S extends z.ZodType>(
  loaded: Loaded,
  name: Section,
  options: S,
): Promise<z.output<S>> {
  const own = ownOptions(loaded, name)
  loaded.secrets.add(...secretsIn(own, options))
  clear(
    loaded.variables.filter(({ path }) => path[0] === name && !isOwn(path)),
    options,
    1,
    loaded.secrets,
  )
  const checked = parsed(options, own, name, loaded)
  if (checked.success) return checked.data
  throw explain(checked.error, {
    value: own,
    type: options,
    prefix: [name],
    placeOf: await loaded.origins.places(),
    secrets: loaded.secrets,
  })
}

/** A schema may throw in place of saying what is wrong, or want to be waited for. */
function parsed<S extends z.ZodType>(options: S, own: unknown, name: Section, { settings }: Loaded) {
  try {
    return options.safeParse(own)
  } catch (error) {
    throw new ConfigurationError(
      `The ${name} ${settings[name]?.use} broke its contract: checking its options threw: ${toError(error).message}.`,
      { hint: 'Mend its `options`: a refine gives false, a transform adds an issue; none throws.', cause: error },
    )
  }
}

/** Adds the place of `use` to the error where a plugin can't be loaded. */
export async function located<Plugin>(loaded: Loaded, name: Section, loading: Promise<Plugin>): Promise<Plugin> {
  return loading.catch(async (thrown: unknown) => {
    if (errorKindOf(thrown) !== 'configuration') throw thrown
    const error = toError(thrown)
    const message = `${error.message.replace(/\.$/, '')} (${name}.use ${await loaded.origins.place([name, 'use'])}).`
    const hint = 'hint' in error && typeof error.hint === 'string' ? { hint: error.hint } : {}
    throw new ConfigurationError(message, { cause: error, ...hint })
  })
}
