/**
 * One configuration out of flags, environment, file and defaults (in this
 * order): the only room that knows cosmiconfig.
 */
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigurationError, toError, UsageError } from './errors.js'
import { importModule } from './load-plugin.js'
import { nearest } from './nearest.js'

const milliseconds = z.number().int().min(0).max(86_400_000)
const plugin = z.looseObject({
  use: z.string().min(1).describe("a built-in's name, a package, or a path to a module"),
})

const schema = z.strictObject({
  source: plugin
    .extend({
      timeoutMs: milliseconds.min(1).default(60_000).describe('longest wait for the next locations, in milliseconds'),
      maxLocations: z.number().int().min(1).default(100_000_000).describe('more than so many are taken for a source that never ends'),
    })
    .optional()
    .describe("where the locations come from; the plugin's own options stand beside `use`"),
  sink: plugin.optional().describe("where the tasks go; the plugin's own options stand beside `use`"),
  outbox: z
    .strictObject({
      path: z.string().min(1).default('/tmp/owm_producer_tasks.db').describe('file of the SQLite outbox'),
      keepTasks: z.number().int().min(0).default(100_000).describe('delivered tasks that are kept for `outbox inspect`'),
      keepRuns: z.number().int().min(1).default(1_000).describe('finished runs that are kept in the ledger'),
    })
    .prefault({}),
  flush: z
    .strictObject({
      batchSize: z.number().int().min(1).max(10_000).default(500).describe('tasks that are handed over in one atomic batch'),
    })
    .prefault({}),
  retry: z
    .strictObject({
      attempts: z.number().int().min(1).max(100).default(8).describe('attempts in all'),
      initialDelayMs: milliseconds.default(1_000).describe('bound of the first wait, in milliseconds; doubles each time, full jitter'),
      maxDelayMs: milliseconds.default(10_000).describe('bound of every wait, in milliseconds'),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      failures: z.number().int().min(1).default(5).describe('failed attempts in a row that open the circuit'),
      resetAfterMs: milliseconds.default(30_000).describe('milliseconds until an open circuit is probed'),
    })
    .prefault({}),
})

export type Settings = z.output<typeof schema>

/** What a configuration file may export: `export default defineConfig({…})`. */
export type Config = z.input<typeof schema>

export interface Overrides {
  config?: string | undefined
  source?: string | undefined
  sink?: string | undefined
  outbox?: string | undefined
  /** `PATH=VALUE`, each. */
  set?: readonly string[] | undefined
}

export interface Loaded {
  settings: Settings
  /** The file that was read, if any. */
  file: string | undefined
  /** Where relative paths in options start. */
  baseDir: string
  /** Where the file was looked for. */
  cwd: string
  /** Values that came out of the environment through `${NAME}`: not to be shown. */
  secrets: readonly string[]
}

type Tree = Record<string, unknown>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads the configuration. Throws ConfigurationError, UsageError. */
export async function loadConfig(overrides: Overrides, env: NodeJS.ProcessEnv, cwd: string): Promise<Loaded> {
  const found = await readFile(overrides.config ?? (env['OWM_CONFIG'] || undefined), cwd)
  const secrets: string[] = []
  const tree = found ? expand(found.tree, found.file, env, secrets) : {}
  const merged: Tree = isTree(tree) ? tree : {}

  for (const [section, name] of [
    ['source', overrides.source ?? env['OWM_SOURCE']],
    ['sink', overrides.sink ?? env['OWM_SINK']],
  ] as const)
    if (name) merged[section] = choose(merged[section], name)
  const path = overrides.outbox ?? env['OWM_OUTBOX']
  if (path) put(merged, ['outbox', 'path'], resolve(cwd, path))
  const url = env['OWM_REDIS_URL']
  if (url) {
    merged['sink'] ??= { use: 'redis-stream' }
    const sink = merged['sink']
    if (isTree(sink) && sink['use'] === 'redis-stream') sink['url'] = url
  }
  for (const assignment of overrides.set ?? []) {
    const equals = assignment.indexOf('=')
    if (equals < 1) throw new UsageError(`--set ${assignment}: PATH=VALUE is expected.`, { hint: 'For example: --set source.count=1000' })
    put(merged, assignment.slice(0, equals).split('.'), literal(assignment.slice(equals + 1)))
  }

  const where = found ? `in ${found.file}` : 'among the flags and the environment'
  const checked = schema.safeParse(merged)
  if (!checked.success) throw explain(checked.error, schema, merged, where, { secrets })
  const baseDir = found ? baseDirOf(found.file) : cwd
  const settings = checked.data
  settings.outbox.path = resolve(baseDir, settings.outbox.path)
  return { settings, file: found?.file, baseDir, cwd, secrets }
}

type Section = 'source' | 'sink'

/** A section that a command can't do without. */
export function section<Name extends Section>({ settings, file, cwd }: Loaded, name: Name): NonNullable<Settings[Name]> {
  const given = settings[name]
  if (given !== undefined) return given
  throw file === undefined
    ? new ConfigurationError(`There is no configuration in ${cwd}, and no ${name} was named.`, {
        hint: '`owm init` writes a starter .owmrc.yaml; --config FILE names an existing file.',
      })
    : new ConfigurationError(`No ${name} is configured in ${file}.`, { hint: `Add \`${name}: {use: …}\`, or name one with --${name}.` })
}

/** Checks a plugin's own options against its schema. */
export function pluginOptions<S extends z.ZodType>(loaded: Loaded, name: Section, options: S): z.output<S> {
  const { use, ...own }: Tree = { ...section(loaded, name) }
  if (name === 'source') for (const key of ['timeoutMs', 'maxLocations']) delete own[key]
  const checked = options.safeParse(own)
  if (checked.success) return checked.data
  throw explain(
    checked.error,
    options,
    own,
    `for the ${name} ${use} ${loaded.file === undefined ? 'among the flags and the environment' : `in ${loaded.file}`}`,
    { prefix: name, secrets: loaded.secrets },
  )
}

/** Types a configuration file: `export default defineConfig({…})`. */
export function defineConfig(config: Config): Config {
  return config
}

// --- files ---

/** `.config/owmrc.yaml` is about the folder that `.config` stands in. */
const baseDirOf = (file: string): string => (dirname(file).endsWith('/.config') ? dirname(dirname(file)) : dirname(file))

async function readFile(named: string | undefined, cwd: string): Promise<{ tree: Tree; file: string } | undefined> {
  const {
    default: { cosmiconfig, defaultLoaders },
  } = await import('cosmiconfig')
  // Inside a function: making an explorer reads the working directory's package.json, too.
  const explore = async () => {
    const explorer = cosmiconfig('owm', {
      searchStrategy: 'project',
      // cosmiconfig's own loader for .ts writes beside the file, which may be read-only.
      loaders: { ...defaultLoaders, '.ts': defaultExport, '.mts': defaultExport },
    })
    return named === undefined ? explorer.search(cwd) : explorer.load(resolve(cwd, named))
  }
  const found = await explore().catch((thrown: unknown) => {
    const error = toError(thrown)
    const file = 'filepath' in error ? error.filepath : (named ?? `in ${cwd}`)
    throw new ConfigurationError(`The configuration ${file} can't be read: ${error.message}`, {
      hint: 'Correct the file, or name another one with --config.',
      cause: error,
    })
  })
  if (!found) return undefined
  const tree: unknown = found.isEmpty ? {} : found.config
  if (!isTree(tree))
    throw new ConfigurationError(`The configuration ${found.filepath} must be a mapping of sections, such as \`source:\` and \`sink:\`.`, {
      hint: '`owm init` writes an example.',
    })
  return { tree, file: found.filepath }
}

async function defaultExport(path: string): Promise<unknown> {
  const module = await importModule(path)
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : module
}

/** Levels: what calls itself for each of them ends in a full stack somewhere above. */
const maxDepth = 2_000

/** Puts the environment's values for `${NAME}`. */
function expand(tree: Tree, file: string, env: NodeJS.ProcessEnv, secrets: string[]): unknown {
  // YAML's aliases: the same object may stand in many places, or inside of itself.
  const done = new Map<object, unknown>()
  const inside = new Set<object>()

  function expanded(value: unknown, key: string): unknown {
    if (typeof value === 'string')
      return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
        const found = env[name]
        if (found === undefined)
          throw new ConfigurationError(`${key} in ${file} needs the environment variable ${name}, which isn't set.`, {
            hint: `Set ${name}, or write the value itself.`,
          })
        // The outbox's path is no secret, and programs read it in `--json`.
        if (found.length > 3 && !key.startsWith('outbox.')) secrets.push(found)
        return found
      })
    if (typeof value !== 'object' || value === null) return value
    if (done.has(value)) return done.get(value)
    if (inside.has(value)) throw new ConfigurationError(`${key} in ${file} contains itself.`, { hint: 'Look for an alias that refers to what it stands in.' })
    if (inside.size > maxDepth)
      throw new ConfigurationError(`The configuration ${file} is nested deeper than ${maxDepth} levels.`, { hint: 'Nobody means that.' })
    inside.add(value)
    const copy = Array.isArray(value)
      ? value.map((entry: unknown, index) => expanded(entry, `${key}[${index}]`))
      : isTree(value)
        ? Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, expanded(entry, key ? `${key}.${name}` : name)]))
        : value
    inside.delete(value)
    done.set(value, copy)
    return copy
  }
  return expanded(tree, '')
}

// --- merging ---

/** Another plugin than the file's doesn't get that one's options. */
const choose = (section: unknown, name: string): Tree => (isTree(section) && section['use'] === name ? section : { use: name })

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined || key === '' || key === '__proto__') throw new UsageError(`--set ${path.join('.')}: a part of the path is empty or not allowed.`)
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

// --- errors ---

/** The first thing that is wrong: which key, where, what it is, what it should be. */
function explain(
  error: z.ZodError,
  type: z.ZodType,
  tree: Tree,
  where: string,
  { prefix = '', secrets }: { prefix?: string; secrets: readonly string[] },
): ConfigurationError {
  const issue = error.issues[0]
  const full = [...(prefix ? [prefix] : []), ...(issue?.path ?? []).map(String)]
  const key = full.join('.') || 'the configuration'
  if (issue?.code === 'unrecognized_keys') {
    const unknown = issue.keys[0] ?? ''
    const known = knownKeys(type, issue.path)
    const near = nearest(unknown, known)
    return new ConfigurationError(`${[...full, unknown].join('.')} is not a known key ${where}.`, {
      hint: near ? `Did you mean \`${near}\`?` : `Known keys here: ${known.join(', ') || 'none'}.`,
    })
  }
  const value = (issue?.path ?? []).reduce<unknown>(
    (inner, part) => (isTree(inner) ? inner[String(part)] : Array.isArray(inner) ? inner[Number(part)] : undefined),
    tree,
  )
  const found = schemaAt(type, issue?.path ?? [])
  const isSecret = found instanceof z.ZodType && found.meta()?.['secret'] === true
  const text = JSON.stringify(value) ?? ''
  const tells = isSecret || secrets.some((secret) => text.includes(JSON.stringify(secret).slice(1, -1)))
  const shown = text === '' || tells ? '' : ` (it is ${text.length > 200 ? `${text.slice(0, 200)}…` : text})`
  return new ConfigurationError(`${key} ${where} is wrong: ${issue?.message ?? error.message}${shown}.`, { hint: `Correct ${key}.` })
}

function schemaAt(type: z.ZodType, path: readonly PropertyKey[]): unknown {
  let at: unknown = type
  for (const part of path) {
    const inner = unwrap(at)
    at = inner instanceof z.ZodObject ? inner.shape[String(part)] : undefined
  }
  return at
}

function knownKeys(type: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const object = unwrap(schemaAt(type, path))
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

/** The object behind defaults. */
function unwrap(type: unknown): unknown {
  return type instanceof z.ZodDefault || type instanceof z.ZodPrefault || type instanceof z.ZodOptional ? unwrap(type.unwrap()) : type
}
