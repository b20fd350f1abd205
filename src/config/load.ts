/**
 * One configuration out of flags, environment, file and defaults (in this
 * order): the only room that knows cosmiconfig.
 */
import { basename, dirname, extname, resolve } from 'node:path'
import type { Loader, LoaderSync } from 'cosmiconfig'
import type { z } from 'zod'
import { ConfigurationError, ConfigurationErrors, toError, UsageError } from '../errors/index.js'
import type { Filters, Shard } from '../pipeline/filters.js'
import { importModule } from '../plugins/load.js'
import { explain } from './explain.js'
import { at, type Found, isTree, jsonMistake, Origins, type SyntaxMistake } from './origins.js'
import { choose, choosePipeline, namedAfter, partOf, pipelinesIn } from './pipelines.js'
import { commonKeys, type Settings, settingsSchema } from './schema.js'

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
}

export interface Loaded {
  settings: Settings
  /** Which one of several, if there are several. */
  pipeline: string | undefined
  /** The file that was read, if any. */
  file: string | undefined
  /** Where relative paths in options start. */
  baseDir: string
  /** Where the file was looked for. */
  cwd: string
  /** Values that came out of the environment through `${NAME}`: not to be shown. */
  secrets: readonly string[]
  origins: Origins
}

type Tree = Record<string, unknown>

/** Reads the configuration of one pipeline. Throws ConfigurationError, UsageError. */
export async function loadConfig(overrides: Overrides, env: Environment, cwd: string): Promise<Loaded> {
  const found = await readFile(overrides.config ?? (env['OWM_CONFIG'] || undefined), cwd)
  const baseDir = found ? baseDirOf(found.file) : cwd
  const pipeline = await choosePipeline(found, overrides.pipeline ?? (env['OWM_PIPELINE'] || undefined), baseDir)
  const origins = new Origins(found, pipeline)
  const secrets: string[] = []
  origins.merged = found ? partOf(found.tree, pipeline) : {}
  const merged = await expand(origins, env, secrets)
  origins.merged = merged

  for (const [section, flag] of [
    ['source', overrides.source],
    ['sink', overrides.sink],
  ] as const) {
    const variable = `OWM_${section.toUpperCase()}`
    const name = flag ?? env[variable]
    if (!name) continue
    merged[section] = choose(section, merged[section], name)
    origins.note(
      [section, 'use'],
      flag === undefined ? { from: 'environment', name: variable } : { from: 'flag', name: `--${section}` },
    )
  }
  const path = overrides.outbox ?? env['OWM_OUTBOX']
  if (path) {
    put(merged, ['outbox', 'path'], resolve(cwd, path))
    origins.note(
      ['outbox', 'path'],
      overrides.outbox === undefined ? { from: 'environment', name: 'OWM_OUTBOX' } : { from: 'flag', name: '--outbox' },
    )
  }
  const url = env['OWM_REDIS_URL']
  if (url) {
    const origin = { from: 'environment', name: 'OWM_REDIS_URL' } as const
    if (merged['sink'] === undefined) origins.note(['sink', 'use'], origin)
    merged['sink'] ??= { use: 'redis-stream' }
    const sink = merged['sink']
    if (isTree(sink) && sink['use'] === 'redis-stream') {
      sink['url'] = url
      origins.note(['sink', 'url'], origin)
    }
  }
  for (const assignment of overrides.set ?? []) {
    const equals = assignment.indexOf('=')
    if (equals < 1)
      throw new UsageError(`--set ${assignment}: PATH=VALUE is expected.`, {
        hint: 'For example: --set source.count=1000',
      })
    const key = assignment.slice(0, equals).split('.')
    put(merged, key, literal(assignment.slice(equals + 1)))
    origins.note(key, { from: 'flag', name: `--set ${key.join('.')}` })
  }
  if (overrides.shard !== undefined) putShard(merged, overrides.shard, origins)

  const checked = settingsSchema.safeParse(merged)
  if (!checked.success)
    throw explain(checked.error, {
      value: merged,
      type: settingsSchema,
      prefix: [],
      placeOf: await origins.places(),
      secrets,
    })
  const settings = checked.data
  const outbox = resolve(baseDir, settings.outbox.path)
  settings.outbox.path =
    pipeline !== undefined && origins.isShared(['outbox', 'path']) ? namedAfter(pipeline, outbox) : outbox
  return { settings, pipeline, file: found?.file, baseDir, cwd, secrets, origins }
}

/** The names of all pipelines, in the file's order; none where the file has no `pipelines:`. */
export async function pipelinesOf(overrides: Overrides, env: Environment, cwd: string): Promise<string[]> {
  return Object.keys(pipelinesIn(await readFile(overrides.config ?? (env['OWM_CONFIG'] || undefined), cwd)))
}

type Section = 'source' | 'sink'

/** A section that a command can't do without. */
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

/** A plugin's own options, as they stand there: without owm's. */
export function ownOptions(loaded: Loaded, name: Section): Tree {
  const given = Object.entries(section(loaded, name))
  return Object.fromEntries(given.filter(([key]) => key !== 'use' && !commonKeys[name].includes(key)))
}

/** Checks a plugin's own options against its schema. */
export async function pluginOptions<S extends z.ZodType>(
  loaded: Loaded,
  name: Section,
  options: S,
): Promise<z.output<S>> {
  const own = ownOptions(loaded, name)
  const checked = options.safeParse(own)
  if (checked.success) return checked.data
  throw explain(checked.error, {
    value: own,
    type: options,
    prefix: [name],
    placeOf: await loaded.origins.places(),
    secrets: loaded.secrets,
  })
}

/** Names the place of `use` where that's what is wrong. */
export async function located<Plugin>(loaded: Loaded, name: Section, loading: Promise<Plugin>): Promise<Plugin> {
  return loading.catch(async (error: unknown) => {
    if (!(error instanceof ConfigurationError)) throw error
    const message = `${error.message.replace(/\.$/, '')} (${name}.use ${await loaded.origins.place([name, 'use'])}).`
    throw new ConfigurationError(message, { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) })
  })
}

/** Which locations are taken; undefined where all are. */
export async function filtersOf(loaded: Loaded, env: Environment): Promise<Filters | undefined> {
  const { where: { bbox, ...fields } = {}, sample, limit, shard: given, shards } = section(loaded, 'source')
  const wrong = async (key: string, what: string, hint: string): Promise<ConfigurationError> =>
    new ConfigurationError(`source.${key} ${await loaded.origins.place(['source', key])} ${what}`, { hint })
  let shard = given === undefined ? undefined : shardOf(given)
  if (shards !== undefined) {
    if (shard) throw await wrong('shards', 'and source.shard are both set.', 'Leave one of them out.')
    const index = env['JOB_COMPLETION_INDEX'] ?? ''
    const hint = `A Kubernetes Job with completionMode: Indexed and completions: ${shards} sets it; elsewhere use --shard i/${shards}.`
    if (!/^\d+$/.test(index))
      throw await wrong(
        'shards',
        `needs the environment variable JOB_COMPLETION_INDEX, which ${index === '' ? "isn't set" : `is "${index}"`}.`,
        hint,
      )
    if (Number(index) >= shards)
      throw await wrong(
        'shards',
        `is ${shards}, but JOB_COMPLETION_INDEX is ${index}: 0 to ${shards - 1} is expected.`,
        hint,
      )
    shard = { index: Number(index), count: shards }
  }
  if (shard?.count === 1) shard = undefined
  if (Object.keys(fields).length === 0 && !bbox && sample === undefined && limit === undefined && !shard)
    return undefined
  const wanted = Object.entries(fields).map(([field, values]): [string, string[]] => [
    field,
    [values].flat().map(String),
  ])
  return { fields: Object.fromEntries(wanted), bbox, sample, limit, shard }
}

function shardOf(given: string): Shard {
  const [index = 0, count = 1] = given.split('/').map(Number)
  return { index, count }
}

// --- files ---

/** `.config/owmrc.yaml` is about the folder that `.config` stands in. */
const baseDirOf = (file: string): string =>
  dirname(file).endsWith('/.config') ? dirname(dirname(file)) : dirname(file)

async function readFile(named: string | undefined, cwd: string): Promise<Found | undefined> {
  const { cosmiconfig, cosmiconfigSync, defaultLoadersSync, getDefaultSearchPlaces } = (await import('cosmiconfig'))
    .default
  const texts = new Map<unknown, string>()
  const kept = Object.entries(defaultLoadersSync).map(([ending, load]): [string, LoaderSync] => [
    ending,
    (path, text) => {
      texts.set(path, text)
      return load(path, text)
    },
  ])
  // cosmiconfig's own loader for .ts writes beside the file, which may be read-only; and none of its own finds a global owm.
  const withModules = (load: Loader) => ({
    ...Object.fromEntries(kept),
    ...Object.fromEntries(['.ts', '.mts', '.js', '.mjs', '.cjs'].map((ending) => [ending, load])),
  })
  // Inside a function: making an explorer reads the working directory's package.json, too.
  const explore = async () => {
    const options = { searchStrategy: 'project', searchPlaces: getDefaultSearchPlaces('owm') } as const
    // The search looks for two dozen files a folder, one by one: synchronously that takes a quarter of the time. Only a module needs the other way.
    let isModule = false
    if (named === undefined) {
      const noted = (): boolean => {
        isModule = true
        return true
      }
      const found = cosmiconfigSync('owm', { ...options, loaders: withModules(noted) }).search(cwd)
      if (!isModule) return found
    }
    const explorer = cosmiconfig('owm', { ...options, loaders: withModules(defaultExport) })
    return named === undefined ? explorer.search(cwd) : explorer.load(resolve(cwd, named))
  }
  const found = await explore().catch(async (thrown: unknown) => {
    const error = toError(thrown)
    const file = 'filepath' in error ? String(error.filepath) : (named ?? `in ${cwd}`)
    const mistake =
      yamlMistake(error) ?? (extname(file) === '.json' ? await jsonMistake(texts.get(file) ?? '') : undefined)
    const [place, message] = mistake ? [`:${mistake.line}:${mistake.column}`, mistake.message] : ['', error.message]
    throw new ConfigurationError(`The configuration ${file}${place} can't be read: ${message}`, {
      hint: 'Correct the file, or name another one with --config.',
      cause: error,
    })
  })
  if (!found) return undefined
  const tree: unknown = found.isEmpty ? {} : found.config
  if (!isTree(tree))
    throw new ConfigurationError(
      `The configuration ${found.filepath} must be a mapping of sections, such as \`source:\` and \`sink:\`.`,
      {
        hint: '`owm init` writes an example.',
      },
    )
  const file = found.filepath
  // What is no text for people has no line that leads anywhere.
  const text = /\.[cm]?[jt]s$/.test(file) ? undefined : texts.get(file)
  return { tree, file, text, prefix: basename(file) === 'package.json' ? ['owm'] : [] }
}

/** Where js-yaml stopped. Its message would show the line, in which a password may stand. */
function yamlMistake(error: Error): SyntaxMistake | undefined {
  const [line, column, message] = [at(error, ['mark', 'line']), at(error, ['mark', 'column']), at(error, ['reason'])]
  return typeof line === 'number' && typeof column === 'number'
    ? { line: line + 1, column: column + 1, message: String(message) }
    : undefined
}

async function defaultExport(path: string): Promise<unknown> {
  const module = await importModule(path)
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : module
}

/** Levels: what calls itself for each of them ends in a full stack somewhere above. */
const maxDepth = 500

/** What the file says to this pipeline, with the environment's values for `${NAME}`. */
async function expand(origins: Origins, env: Environment, secrets: string[]): Promise<Tree> {
  // YAML's aliases: the same object may stand in many places, or inside of itself.
  const done = new Map<object, unknown>()
  const inside = new Set<object>()
  const wrong = new Map<readonly string[], { what: string; hint: string }>()

  function expanded(value: unknown, path: readonly string[]): unknown {
    if (typeof value === 'string')
      return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
        const found = env[name]
        if (found === undefined)
          wrong.set(path, {
            what: `needs the environment variable ${name}, which isn't set.`,
            hint: `Set ${name}, or write the value itself.`,
          })
        // The outbox's path is no secret, and programs read it in `--json`.
        else if (found.length > 3 && path.join('.') !== 'outbox.path') secrets.push(found)
        return found ?? ''
      })
    if (typeof value !== 'object' || value === null) return value
    if (done.has(value)) return done.get(value)
    if (inside.has(value))
      wrong.set(path, { what: 'contains itself.', hint: 'Look for an alias that refers to what it stands in.' })
    if (inside.size > maxDepth)
      wrong.set(path.slice(0, 1), { what: `is nested deeper than ${maxDepth} levels.`, hint: 'Nobody means that.' })
    if (inside.has(value) || inside.size > maxDepth) return undefined
    inside.add(value)
    const copy = Array.isArray(value)
      ? value.map((entry: unknown, index) => expanded(entry, [...path, String(index)]))
      : isTree(value)
        ? Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, expanded(entry, [...path, name])]))
        : value
    inside.delete(value)
    done.set(value, copy)
    return copy
  }

  const tree = expanded(origins.merged, [])
  if (wrong.size > 0) {
    const placeOf = await origins.places()
    const errors = [...wrong].map(
      ([path, { what, hint }]) => new ConfigurationError(`${path.join('.')} ${placeOf(path)} ${what}`, { hint }),
    )
    throw errors.length === 1 ? errors[0] : new ConfigurationErrors(errors)
  }
  return isTree(tree) ? tree : {}
}

// --- merging ---

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined || key === '' || key === '__proto__')
    throw new UsageError(`--set ${path.join('.')}: a part of the path is empty or not allowed.`)
  if (rest.length === 0) tree[key] = value
  else {
    const inner = tree[key]
    const next: Tree = isTree(inner) ? inner : {}
    tree[key] = next
    put(next, rest, value)
  }
}

/** `1000`, `true`, `[1]` and `{"a":1}` are values, anything else is text. */
function literal(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** `--shard i/n` stands for both settings. */
function putShard(merged: Tree, given: string, origins: Origins): void {
  const [index = 0, count = 0] = /^\d{1,6}\/\d{1,6}$/.test(given) ? given.split('/').map(Number) : []
  if (index >= count)
    throw new UsageError(`--shard ${given}: i/n is expected, with i from 0 to n-1.`, {
      hint: 'For example: --shard 0/3, --shard 1/3 and --shard 2/3.',
    })
  const { source } = merged
  if (!isTree(source)) return // that there is none will be said
  source['shard'] = given
  delete source['shards']
  origins.note(['source', 'shard'], { from: 'flag', name: '--shard' })
}
