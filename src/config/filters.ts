/** Which locations a configuration selects. */
import { hash } from 'node:crypto'
import type { z } from 'zod'
import { ConfigurationError } from '../errors/index.js'
import type { Cadence } from '../pipeline/input/cadence.js'
import type { Filters } from '../pipeline/input/filters/filters.js'
import type { Conditions, Test, Values } from '../pipeline/input/filters/where.js'
import { SchemaPlace } from '../plugins/schema.js'
import { exactJson } from '../tasks/json/exact.js'
import { isTree } from '../tasks/json/tree.js'
import { indexVariable, nameOfShard, type Shard, shardFlag } from '../tasks/shard.js'
import type { Loaded } from './load.js'
import { isSecretName, withoutCredentials } from './redact.js'
import type { condition, conditions, Settings } from './schema.js'
import { section } from './section.js'
import type { Environment } from './values/variables.js'

/** Undefined if all locations are taken. Throws ConfigurationError. */
export async function filtersOf(loaded: Loaded, env: Environment): Promise<Filters | undefined> {
  const source = section(loaded, 'source')
  const { sample, limit } = source
  const { fields, bbox } = conditionsOf(source.where ?? {})
  const shard = await shardRead(loaded, env)
  if (Object.keys(fields).length === 0 && !bbox && sample === undefined && limit === undefined && !shard)
    return undefined
  return { fields, bbox, sample, limit, shard }
}

/** The conditions in a `where:`. */
export function conditionsOf({ bbox, ...fields }: Written): Conditions {
  const tests = Object.entries(fields).map(([field, given]): [string, Values | Test] => [
    field,
    isTree(given) ? testOf(given) : textsOf(given),
  ])
  return { fields: Object.fromEntries(tests), bbox }
}

type Written = z.output<typeof conditions>
type Scalar = string | number | boolean

function testOf(given: z.output<typeof condition>): Test {
  const { in: allowed, not: refused, ...rest } = given
  return {
    ...rest,
    ...(allowed !== undefined && { in: textsOf(allowed) }),
    ...(refused !== undefined && { not: textsOf(refused) }),
  }
}

const textsOf = (given: Scalar | readonly Scalar[]): Values => [given].flat().map(String)

/** The cadence as JSON, to store with a run; null if every location is due in every run. Throws ConfigurationError. */
export async function cadenceKept(loaded: Loaded): Promise<string | null> {
  const { cadence, schedule } = loaded.settings
  if (!cadence) return null
  if (!schedule)
    throw new ConfigurationError(`cadence ${await loaded.origins.place(['cadence'])} needs a schedule.`, {
      hint: 'Add `schedule: {cron: "0 * * * *"}`: a location is due in the run whose interval has its window in it.',
    })
  const rules = cadence.rules.map(({ where, every }) => ({ where: conditionsOf(where), every }))
  const kept: Cadence = { ...cadence, rules }
  return JSON.stringify(kept)
}

interface OwnShard {
  /** 0 to `count - 1`; undefined if the environment should give it, but doesn't. */
  readonly index: number | undefined
  /** 1 for the whole list. */
  readonly count: number
}

/** Which share of the locations is read: from `shard: i/n`, or in a Kubernetes Indexed Job from `shards: n`. */
export function shardIn({ source }: Pick<Settings, 'source'>, env: Environment): OwnShard {
  const { shard, shards } = source ?? {}
  if (shards === undefined || shard !== undefined) {
    const [index = 0, count = 1] = shard?.split('/').map(Number) ?? []
    return { index, count }
  }
  const given = env[indexVariable] ?? ''
  const isIndex = /^\d+$/.test(given) && Number(given) < shards
  return { index: isIndex ? Number(given) : undefined, count: shards }
}

/** Whether a shard is configured, or named by a flag, be it the only one. */
export const isSharded = ({ source }: Pick<Settings, 'source'>): boolean =>
  source?.shard !== undefined || (source?.shards ?? 1) > 1

/** The configured shard; undefined if there is none, or if the environment should give it, but doesn't. */
export function chosenShard(settings: Pick<Settings, 'source'>, env: Environment): Shard | undefined {
  const { index, count } = shardIn(settings, env)
  return isSharded(settings) && index !== undefined ? { index, count } : undefined
}

/** With the whole list where `source.shards` is set, but not the number of the shard: what only looks needs none. */
export function wholeUnlessChosen(loaded: Loaded, env: Environment): Loaded {
  const { source, ...settings } = loaded.settings
  if (!source || shardIn(loaded.settings, env).index !== undefined) return loaded
  return { ...loaded, settings: { ...settings, source: { ...source, shards: undefined } } }
}

/** The flag with which a command works on the configured shard: see `shardFlag`. */
export function ownShardFlag(settings: Pick<Settings, 'source'>, env: Environment): string {
  const own = chosenShard(settings, env)
  return own ? shardFlag(nameOfShard(own), true) : ''
}

/** Undefined for the whole list. Throws ConfigurationError. */
async function shardRead({ settings, origins }: Loaded, env: Environment): Promise<Shard | undefined> {
  const { shard, shards } = settings.source ?? {}
  const { index, count } = shardIn(settings, env)
  const wrong = async (what: string, hint: string): Promise<ConfigurationError> =>
    new ConfigurationError(`source.shards ${await origins.place(['source', 'shards'])} ${what}`, { hint })
  if (shard !== undefined && shards !== undefined)
    throw await wrong('and source.shard are both set.', 'Leave one of them out.')
  if (index !== undefined) return count === 1 ? undefined : { index, count }
  const given = env[indexVariable] ?? ''
  const hint =
    `A Kubernetes Job with completionMode: Indexed and completions: ${count} sets it; ` +
    `elsewhere use --shard i/${count}.`
  if (/^\d+$/.test(given))
    throw await wrong(`is ${count}, but ${indexVariable} is ${given}: 0 to ${count - 1} is expected.`, hint)
  const found = given === '' ? "isn't set" : `is "${given}"`
  throw await wrong(`needs the environment variable ${indexVariable}, which ${found}.`, hint)
}

/**
 * A source's options without those that don't affect its locations: passwords, tokens, and what the schema marks with
 * `.meta({keepsCheckpoint: true})`. If the others are unchanged, an interrupted run resumes from its checkpoint.
 */
export function locating(options: unknown, schema: z.ZodType): unknown {
  return onlyLocating(options, SchemaPlace.rootOf(schema))
}

/** Identifies a source or sink: a hash of its section without passwords and tokens. */
export const sectionDigest = (section: unknown): string =>
  hash('sha1', exactJson(onlyLocating(section, [])) ?? '', 'hex')

function onlyLocating(value: unknown, places: readonly SchemaPlace[]): unknown {
  if (typeof value === 'string') return withoutCredentials(value)
  if (Array.isArray(value))
    return value.map((entry, index) => onlyLocating(entry, SchemaPlace.under(places, String(index))))
  // Instances of classes, such as dates, are kept whole.
  if (!isTree(value) || Object.getPrototypeOf(value) !== Object.prototype) return value
  const kept = Object.entries(value)
    .map(([name, entry]) => ({ name, entry, inner: SchemaPlace.under(places, name) }))
    .filter(({ name, inner }) => !isSecretName(name) && !inner.some(({ node }) => node['keepsCheckpoint'] === true))
  return Object.fromEntries(kept.map(({ name, entry, inner }) => [name, onlyLocating(entry, inner)]))
}
