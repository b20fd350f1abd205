/** Checks of the stream and its groups. */
import type { Diagnosis, GroupPicture, Patient } from '../../../plugin.js'
import { age, count, plural } from '../../../words.js'
import type { Connection } from '../connection/index.js'
import type { Keys } from '../keys.js'
import type { Settings } from '../options.js'
import { countedGroupsOf, type Group, groupPicture, isAfter, streamOf } from '../picture.js'
import { attempt, commands, fine, judged } from './verdict.js'

/** A stream this many times as long as its bound has no bound elsewhere, or another one. */
const mostTimes = 2

/** As a share of the bound. */
const mostUnread = 0.9

/** A group that leaves entries unread for this long has stopped, in milliseconds. */
const abandonedMs = 3_600_000

export async function streamChecks(
  connection: Connection,
  settings: Settings,
  keys: Keys,
  patient: Patient,
): Promise<readonly Diagnosis[]> {
  const { stream, maxLength } = settings
  const length = await connection.ask((redis) => redis.xlen(stream))
  const long = `${count(length)} entries; its bound is ${count(maxLength)}`
  return [
    ...(await tasksCheck(connection, keys)),
    judged('redis-length', length > mostTimes * maxLength, long),
    boundCheck(maxLength, patient.tasks),
    ...(await groupChecks(connection, settings, length, patient.now())),
    ...(await expiryCheck(connection, keys, patient)),
    ...(await fencesCheck(connection, keys, patient)),
  ]
}

/** Whether it is the stream that owm has added to: a new one has had fewer entries (`look` in scripts/prelude). */
async function tasksCheck(connection: Connection, { stream, mark }: Keys): Promise<readonly Diagnosis[]> {
  return attempt(['redis-tasks'], async () => {
    const [had, { added }] = await connection.ask((redis) =>
      Promise.all([redis.hget(mark, 'added'), streamOf(redis, stream)]),
    )
    const isGone = added !== null && added < Number(had ?? 0)
    const gone = `entries of ${stream}: ${count(added ?? 0)} ever; ${count(Number(had))} when owm last added to it`
    return [judged('redis-tasks', isGone, isGone ? gone : 'it is the stream that owm has added to')]
  })
}

function boundCheck(bound: number, tasks: number | undefined): Diagnosis {
  if (tasks === undefined) return fine('redis-bound', 'no run yet')
  const found = `the newest slot has ${plural(tasks, 'task')}; the bound is ${count(bound)} entries`
  return judged('redis-bound', tasks > bound, found)
}

async function groupChecks(
  connection: Connection,
  { stream, maxLength }: Settings,
  length: number,
  now: number,
): Promise<readonly Diagnosis[]> {
  return attempt(['redis-no-group', 'redis-unread', 'redis-abandoned-group', 'redis-late-group'], async () => {
    const groups = await countedGroupsOf(connection, stream)
    const pictures = await Promise.all(groups.map((group) => groupPicture(connection, stream, group)))
    const isUnread = length > 0 && groups.length === 0
    return [
      judged(
        'redis-no-group',
        isUnread,
        groups.length === 0 ? 'no group' : plural(groups.length, 'group'),
        `Make a group, by its workers' name for it: ${commands([['XGROUP', 'CREATE', stream, 'workers', '0']])}. ` +
          'Plain readers need none.',
      ),
      unreadCheck(pictures, maxLength),
      abandonedCheck(pictures, stream, now),
      await lateCheck(connection, stream, groups, length),
    ]
  })
}

function unreadCheck(groups: readonly GroupPicture[], bound: number): Diagnosis {
  const [slowest] = groups.toSorted((a, b) => (b.lag ?? 0) - (a.lag ?? 0))
  if (!slowest) return fine('redis-unread', 'no group')
  const lag = slowest.lag ?? 0
  const found = `the group ${slowest.name} has not read ${count(lag)} of at most ${count(bound)} entries`
  return judged('redis-unread', lag >= bound * mostUnread, found)
}

function abandonedCheck(groups: readonly GroupPicture[], stream: string, now: number): Diagnosis {
  const stopped = groups.flatMap(({ name, oldestUnread, consumers, lag }) => {
    const waits = oldestUnread === null ? 0 : now - oldestUnread.at
    const idle = Math.min(...consumers.map(({ idleMs }) => idleMs))
    if (waits < abandonedMs || idle < abandonedMs) return []
    const how = lag === null ? '' : `${count(lag)} `
    const who = consumers.length === 0 ? 'it has no consumer' : `no consumer has asked for ${age(idle)}`
    const found = `the group ${name} has ${how}unread entries, the oldest of ${age(waits)} ago: ${who}`
    return [{ name, found }]
  })
  const destroy = stopped.map(({ name }) => ['XGROUP', 'DESTROY', stream, name])
  return judged(
    'redis-abandoned-group',
    stopped.length > 0,
    stopped.map(({ found }) => found).join('; ') || 'every group that has something to read reads',
    `Start its workers; if nobody reads with it: ${commands(destroy)}.`,
  )
}

/** Entries from before where the groups begin, if no group has read anything yet. */
async function lateCheck(
  connection: Connection,
  stream: string,
  groups: readonly Group[],
  length: number,
): Promise<Diagnosis> {
  const [earliest] = groups.toSorted((a, b) => (isAfter(a.delivered, b.delivered) ? 1 : -1))
  const hasRead = groups.some(({ read, pending }) => read !== null || pending > 0)
  if (length === 0 || earliest === undefined || hasRead || earliest.delivered === '0-0')
    return fine('redis-late-group', 'no entry came before the groups')
  const [first] = await connection.ask((redis) => redis.xrange(stream, '-', earliest.delivered, 'COUNT', 1))
  const names = groups.map(({ name }) => name).join(', ')
  const unseen = earliest.lag === null ? '' : `${count(length - earliest.lag)} `
  const found = `${unseen}entries from ${first?.[0]} on came before ${names}, and no group has read them`
  return judged(
    'redis-late-group',
    first !== undefined,
    first === undefined ? 'no entry came before the groups' : found,
    `${commands(groups.map(({ name }) => ['XGROUP', 'SETID', stream, name, '0']))}: it reads from the beginning.`,
  )
}

async function expiryCheck(
  connection: Connection,
  { stream, mark, slots, fence }: Keys,
  { outboxId }: Patient,
): Promise<readonly Diagnosis[]> {
  return attempt(['redis-expiry'], async () => {
    const keys = [stream, mark, slots, ...(outboxId === undefined ? [] : [fence(outboxId)])]
    const left = await connection.ask((redis) => Promise.all(keys.map((key) => redis.pttl(key))))
    const expiring = keys.flatMap((key, index) => {
      const ms = left[index] ?? -1
      return ms >= 0 ? [{ key, found: `${key} expires in ${age(ms)}` }] : []
    })
    const found = expiring.map((one) => one.found).join('; ') || 'no key expires'
    const persist = commands(expiring.map(({ key }) => ['PERSIST', key]))
    return [judged('redis-expiry', expiring.length > 0, found, `${persist}; then find who set the time.`)]
  })
}

async function fencesCheck(
  connection: Connection,
  { mark }: Keys,
  { outboxId, outboxes = 1 }: Patient,
): Promise<readonly Diagnosis[]> {
  return attempt(['redis-fences'], async () => {
    const fields = Object.keys(await connection.ask((redis) => redis.hgetall(mark)))
    const others = fields.flatMap((name) =>
      name.startsWith('at:') && name !== `at:${outboxId}` ? [name.slice(3)] : [],
    )
    const names = others.length === 0 ? '' : ` (${others.slice(0, 5).join(', ')})`
    return [judged('redis-fences', others.length >= outboxes, `outboxes besides this one: ${others.length}${names}`)]
  })
}
