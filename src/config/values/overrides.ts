/** Flags and environment variables that override the file. */
import { resolve } from 'node:path'
import { toError, UsageError } from '../../errors/index.js'
import { isTree, type Tree } from '../../tasks/json/tree.js'
import { parseJson, parseYaml } from '../file/syntax.js'
import { choose } from '../pipelines.js'
import type { Origins } from './origins.js'
import type { Environment } from './variables.js'

export interface Overrides {
  config?: string | undefined
  pipeline?: string | undefined
  source?: string | undefined
  sink?: string | undefined
  outbox?: string | undefined
  /** `i/n` */
  shard?: string | undefined
  /** Each `PATH=VALUE`. */
  set?: readonly string[] | undefined
  /** Whether tasks are produced: with another sink than the configured one, that is a trial. */
  produces?: boolean
  /** The source isn't used: its variables needn't be set. */
  withoutSource?: boolean
  /** Paths of values whose `${NAME}` are left unexpanded, for display: `metrics`, `textfile`. */
  asWritten?: ReadonlyArray<readonly string[]>
  /** Sections to ignore, as if they weren't there. */
  without?: readonly string[]
  /** All other sections are ignored, whatever is wrong with them. */
  only?: readonly string[] | undefined
  /** For completion, before any command runs: a configuration that is code or a pipe is an error. */
  looksOnly?: boolean
  /** The file isn't read again. */
  isAgain?: boolean
  /** Reads no file: there is none yet. */
  withoutFile?: boolean
}

/** Treats an empty text as unset: templates write it for what has no value. */
export function withoutEmpty(flags: Overrides): Overrides {
  const { config, pipeline, source, sink, outbox, shard } = flags
  const texts = Object.entries({ config, pipeline, source, sink, outbox, shard })
  return { ...flags, ...Object.fromEntries(texts.map(([name, text]) => [name, text === '' ? undefined : text])) }
}

/** Applies the overrides to `merged`, and notes each value's origin. Throws UsageError. */
export async function override(
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

/** Applies to the sink redis-stream, which is the default if no sink is configured. */
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
  if (key.some((part) => part === '' || part === '__proto__'))
    throw new UsageError(`--set ${key.join('.')}: a part of the path is empty or not allowed.`, {
      hint: 'For example: --set source.count=1000',
    })
  put(merged, key, await literal(assignment.slice(equals + 1), key))
  origins.note(key, fromFlag(`--set ${key.join('.')}`))
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
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
  if (!isTree(source)) return // reported as missing later
  source['shard'] = given
  delete source['shards']
  origins.note(['source', 'shard'], fromFlag('--shard'))
}
