/** Which locations a configuration takes. */
import { ConfigurationError } from '../errors/index.js'
import type { Filters, Shard } from '../pipeline/input/filters.js'
import { type Environment, type Loaded, section } from './load.js'
import type { Settings } from './schema.js'

/** Undefined where all are taken. Throws ConfigurationError. */
export async function filtersOf(loaded: Loaded, env: Environment): Promise<Filters | undefined> {
  const source = section(loaded, 'source')
  const { where: { bbox, ...fields } = {}, sample, limit } = source
  const shard = await shardOf(loaded, source, env)
  if (Object.keys(fields).length === 0 && !bbox && sample === undefined && limit === undefined && !shard)
    return undefined
  const wanted = Object.entries(fields).map(([field, values]): [string, string[]] => [
    field,
    [values].flat().map(String),
  ])
  return { fields: Object.fromEntries(wanted), bbox, sample, limit, shard }
}

/** From `shard: i/n`, or in a Kubernetes Indexed Job from `shards: n`. */
async function shardOf(
  loaded: Loaded,
  { shard, shards }: NonNullable<Settings['source']>,
  env: Environment,
): Promise<Shard | undefined> {
  if (shards === undefined) {
    const [index = 0, count = 1] = shard?.split('/').map(Number) ?? []
    return count === 1 ? undefined : { index, count }
  }
  const wrong = async (what: string, hint: string): Promise<ConfigurationError> =>
    new ConfigurationError(`source.shards ${await loaded.origins.place(['source', 'shards'])} ${what}`, { hint })
  if (shard !== undefined) throw await wrong('and source.shard are both set.', 'Leave one of them out.')
  const index = env['JOB_COMPLETION_INDEX'] ?? ''
  const hint =
    `A Kubernetes Job with completionMode: Indexed and completions: ${shards} sets it; ` +
    `elsewhere use --shard i/${shards}.`
  if (!/^\d+$/.test(index)) {
    const found = index === '' ? "isn't set" : `is "${index}"`
    throw await wrong(`needs the environment variable JOB_COMPLETION_INDEX, which ${found}.`, hint)
  }
  if (Number(index) >= shards)
    throw await wrong(`is ${shards}, but JOB_COMPLETION_INDEX is ${index}: 0 to ${shards - 1} is expected.`, hint)
  return shards === 1 ? undefined : { index: Number(index), count: shards }
}
