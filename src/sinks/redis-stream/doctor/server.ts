/**
 * Checks of the server, by INFO: https://redis.io/docs/latest/commands/info/. This user may not be allowed CONFIG GET,
 * which tells the rest.
 */
import type { Redis } from 'ioredis'
import { compact } from '../../../lists.js'
import type { Diagnosis } from '../../../plugin.js'
import { count, megabytes, plural } from '../../../words.js'
import type { Connection } from '../connection/index.js'
import type { Settings } from '../options.js'
import type { Code } from './checks.js'
import { attempt, fine, judged, unknown, wrong } from './verdict.js'

/** Field -> value. */
type Info = ReadonlyMap<string, string>

/** As a share of maxmemory. */
const mostMemory = 0.9

/** Seconds that a replica may lag behind; it reports each second. */
const mostLag = 10

/** The checks that need INFO. */
const ofInfo: readonly Code[] = [
  ...(['redis-version', 'redis-lag', 'redis-policy', 'redis-memory', 'redis-persistence', 'redis-save'] as const),
  ...(['redis-replica', 'redis-replicas', 'redis-durability', 'redis-replica-lag'] as const),
]

export async function serverChecks(connection: Connection, { durability }: Settings): Promise<readonly Diagnosis[]> {
  return attempt(ofInfo, async () => {
    const info = infoIn(await connection.ask((redis) => redis.info()))
    const setting = (name: string): Promise<string | undefined> =>
      connection.ask((redis) => configured(redis, name)).catch(() => undefined)
    return [
      ...versionChecks(info),
      ...memoryChecks(info),
      ...persistenceChecks(info, await setting('save')),
      ...replicationChecks(info, await setting('min-replicas-to-write'), durability?.replicas),
    ]
  })
}

async function configured(redis: Redis, name: string): Promise<string | undefined> {
  const answer = await redis.config('GET', name)
  return Array.isArray(answer) ? String(answer[1] ?? '') : undefined
}

const infoIn = (text: string): Info =>
  new Map(
    text.split('\r\n').flatMap((line) => {
      const [, name, value] = /^([^#:]+):(.*)$/.exec(line) ?? []
      return name === undefined || value === undefined ? [] : [[name, value]]
    }),
  )

const numberIn = (info: Info, name: string): number => Number(info.get(name) ?? 0)

function versionChecks(info: Info): Diagnosis[] {
  const version = info.get('redis_version') ?? ''
  const major = Number.parseInt(version, 10)
  if (Number.isNaN(major)) return [unknown('redis-version', 'it does not tell')]
  return [
    judged('redis-version', major < 5, `Redis ${version}`),
    judged('redis-lag', major < 7, `Redis ${version} ${major < 7 ? "doesn't tell" : 'tells'} how far its readers are`),
  ]
}

/** The policies `volatile-…` remove only keys that expire, which owm's don't: see redis-expiry. */
function memoryChecks(info: Info): Diagnosis[] {
  const policy = info.get('maxmemory_policy')
  const [used, most] = [numberIn(info, 'used_memory'), numberIn(info, 'maxmemory')]
  const limit = most === 0 ? 'no limit' : `${Math.round((100 * used) / most)} % of maxmemory`
  return [
    policy === undefined
      ? unknown('redis-policy', 'it does not tell')
      : judged('redis-policy', policy.startsWith('allkeys-'), `maxmemory-policy is ${policy}`),
    judged('redis-memory', most > 0 && used > most * mostMemory, `${megabytes(used)} in use, ${limit}`),
  ]
}

/** @param save the server's times for snapshots, '' for none; undefined if it doesn't tell */
function persistenceChecks(info: Info, save: string | undefined): Diagnosis[] {
  if (!info.has('aof_enabled')) return [unknown('redis-persistence', 'it does not tell')]
  const hasLog = info.get('aof_enabled') === '1'
  const [snapshot, log] = [info.get('rdb_last_bgsave_status'), info.get('aof_last_write_status')]
  const failed = compact(
    snapshot === 'err' && 'the last snapshot failed',
    hasLog && log === 'err' && 'the last write of the append-only file failed',
  )
  return [
    persistenceCheck(hasLog, save),
    judged('redis-save', failed.length > 0, failed.length > 0 ? failed.join('; ') : 'the last write succeeded'),
  ]
}

function persistenceCheck(hasLog: boolean, save: string | undefined): Diagnosis {
  if (hasLog) return fine('redis-persistence', 'an append-only file')
  if (save === undefined)
    return unknown('redis-persistence', 'no append-only file; it does not tell whether there are snapshots')
  return judged(
    'redis-persistence',
    save === '',
    save === '' ? 'neither an append-only file nor snapshots' : `snapshots (save ${save})`,
  )
}

function replicationChecks(info: Info, least: string | undefined, wanted = 0): Diagnosis[] {
  if (info.get('role') === 'slave') {
    const master = `${info.get('master_host')}:${info.get('master_port')}`
    return [wrong('redis-replica', `this server is a replica of ${master} (link ${info.get('master_link_status')})`)]
  }
  const replicas = replicasIn(info)
  const behind = replicas.filter(({ state, lag }) => state !== 'online' || lag > mostLag)
  const laggards = behind.map(({ place, state, lag }) => `${place} is ${state}, ${lag} s behind`)
  return [
    fine('redis-replica', 'this server is the master'),
    replicasCheck(info, least),
    judged(
      'redis-durability',
      replicas.length - behind.length < wanted,
      wanted === 0
        ? 'a batch waits for no replica'
        : `a batch waits for ${plural(wanted, 'replica')}, and ${replicas.length - behind.length} keep up`,
    ),
    judged(
      'redis-replica-lag',
      behind.length > 0,
      laggards.join('; ') || `${plural(replicas.length, 'replica')}, none late`,
    ),
  ]
}

/** INFO has min_slaves_good_slaves only if min-replicas-to-write is set. */
function replicasCheck(info: Info, least: string | undefined): Diagnosis {
  const good = info.get('min_slaves_good_slaves')
  if (good === undefined) return fine('redis-replicas', 'none is asked for')
  if (least === undefined) return unknown('redis-replicas', `${good} connected; it does not tell how many it needs`)
  return judged('redis-replicas', Number(good) < Number(least), `${good} of ${least} that it needs are connected`)
}

/** `slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0` */
function replicasIn(info: Info): { place: string; state: string; lag: number }[] {
  return [...info].flatMap(([name, value]) => {
    if (!/^slave\d+$/.test(name)) return []
    const fields = new Map(
      value.split(',').map((part): [string, string] => [part.split('=')[0] ?? '', part.split('=')[1] ?? '']),
    )
    const place = `${fields.get('ip')}:${fields.get('port')}`
    return [{ place, state: fields.get('state') ?? '', lag: Number(fields.get('lag') ?? 0) }]
  })
}

/** Milliseconds by which two clocks may differ. */
const mostSkewMs = 30_000

export async function clockCheck(connection: Connection, now: () => number): Promise<readonly Diagnosis[]> {
  return attempt(['redis-clock'], async () => {
    const before = now()
    const [seconds, microseconds] = await connection.ask((redis) => redis.time())
    const there = Number(seconds) * 1000 + Number(microseconds) / 1000
    const skew = Math.round((before + now()) / 2 - there)
    const which = skew > 0 ? 'ahead of' : 'behind'
    const found = `this machine is ${count(Math.round(Math.abs(skew) / 1000))} s ${which} Redis`
    return [judged('redis-clock', Math.abs(skew) > mostSkewMs, found)]
  })
}
