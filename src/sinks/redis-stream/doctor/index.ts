/** Examines Redis: reads only, and needs no right that a run doesn't; without INFO and the like it knows less. */
import { ConfigurationError, errorKindOf, toError, withHint } from '../../../errors/index.js'
import type { Diagnosis, Patient } from '../../../plugin.js'
import { isThisMachine, unasked } from '../../doctor.js'
import type { Connection } from '../connection/index.js'
import { checkTypes } from '../connection/wrong-type.js'
import { replyCodeOf } from '../errors.js'
import { allKeys, hashSlotOf, type Keys } from '../keys.js'
import type { Settings } from '../options.js'
import { otherCommands, rights } from '../scripts/rights.js'
import { addressOfEndpoint, type Way } from '../way.js'
import { type Code, checks } from './checks.js'
import { withCommands } from './redis-cli.js'
import { clockCheck, serverChecks } from './server.js'
import { streamChecks } from './stream.js'
import { fine, judged, unknown, wrong } from './verdict.js'

export { checks } from './checks.js'

interface Subject {
  readonly settings: Settings
  readonly way: Way
  readonly keys: Keys
}

export async function examined(
  connection: Connection,
  subject: Subject,
  patient: Patient,
): Promise<readonly Diagnosis[]> {
  const diagnoses = await diagnosesOf(connection, subject, patient)
  return withCommands(diagnoses, { node: connection.node, ...subject })
}

async function diagnosesOf(
  connection: Connection,
  { settings, way, keys }: Subject,
  patient: Patient,
): Promise<Diagnosis[]> {
  const diagnoses: Diagnosis[] = [tlsCheck(way)]
  try {
    await connection.ask((redis) => redis.ping())
  } catch (error) {
    diagnoses.push(wrong(codeFor(error), withHint(error)))
    return [...diagnoses, ...unasked(Object.keys(checks), diagnoses, 'Redis could not be asked')]
  }
  diagnoses.push(
    fine('redis-reachable', `${connection.place} answers`),
    fine('redis-refused', 'user, password and database are taken'),
    ...(await serverChecks(connection, settings)),
    ...(await clockCheck(connection, patient.now)),
    ...(await rightsCheck(connection, keys, settings)),
  )
  const place = await placeChecks(connection, keys, patient)
  diagnoses.push(...place.diagnoses)
  if (place.isUsable) diagnoses.push(...(await streamChecks(connection, settings, keys, patient)))
  return diagnoses
}

/** Codes of error replies to a PING -> the check that they are about. */
const codesOfReplies: Readonly<Record<string, Code>> = {
  MISCONF: 'redis-save',
  MASTERDOWN: 'redis-replica',
  CLUSTERDOWN: 'redis-cluster',
}

const codeFor = (error: unknown): Code =>
  errorKindOf(error) === 'configuration' ? 'redis-refused' : (codesOfReplies[replyCodeOf(error)] ?? 'redis-reachable')

function tlsCheck({ tls, nodes, hasPassword }: Way): Diagnosis {
  if (tls) return fine('redis-tls', 'the connection speaks TLS')
  const far = nodes.find((node) => 'host' in node && !isThisMachine(node.host))
  if (!far) return fine('redis-tls', 'the server is on this machine')
  return judged(
    'redis-tls',
    hasPassword,
    hasPassword ? `a password goes to ${addressOfEndpoint(far)} without TLS` : 'no password',
  )
}

/** Checks every command of a run against this user's rights: nothing is written. */
async function rightsCheck(connection: Connection, keys: Keys, settings: Settings): Promise<readonly Diagnosis[]> {
  const all = allKeys(keys, 'trial')
  try {
    const forbidden = await connection.ask((redis) =>
      redis.eval(rights, all.length, ...all, ...otherCommands(settings)),
    )
    if (!Array.isArray(forbidden)) return [unknown('redis-commands', 'not checked: Redis tells from version 7 on')]
    const commands = byKey(forbidden.map(String), all)
    const found = commands === '' ? 'all are allowed' : `not allowed: ${commands}`
    return [judged('redis-commands', commands !== '', found)]
  } catch (error) {
    if (error instanceof ConfigurationError) return [wrong('redis-commands', withHint(error))]
    return [unknown('redis-commands', toError(error).message)]
  }
}

/** `TIME; XADD, XLEN on owm-ingestion-stream` */
function byKey(forbidden: readonly string[], keys: readonly string[]): string {
  const names = new Map<string, Set<string>>()
  for (const command of forbidden) {
    const key = keys.find((name) => command.endsWith(` ${name}`))
    const name = key === undefined ? command : command.slice(0, -key.length - 1)
    names.set(key ?? '', (names.get(key ?? '') ?? new Set()).add(name))
  }
  return [...names].map(([key, commands]) => [...commands].join(', ') + (key === '' ? '' : ` on ${key}`)).join('; ')
}

/** Whether the stream can be used here at all. */
async function placeChecks(
  connection: Connection,
  keys: Keys,
  { outboxId }: Patient,
): Promise<{ diagnoses: Diagnosis[]; isUsable: boolean }> {
  const { stream, mark, slots, fence } = keys
  const place = fine('redis-cluster', `hash slot ${hashSlotOf(stream)}, with all keys of owm's`)
  try {
    const length = await connection.ask((redis) => redis.xlen(stream))
    await checkTypes(connection, keys, [mark, slots, ...(outboxId === undefined ? [] : [fence(outboxId)])])
    const found = `${stream}${length === 0 ? ' is empty, or not there yet' : ' is a stream'}`
    return { diagnoses: [place, fine('redis-stream', found)], isUsable: true }
  } catch (error) {
    const code = replyCodeOf(error)
    if (error instanceof ConfigurationError && code === '')
      return { diagnoses: [place, judged('redis-stream', true, error.message, error.hint)], isUsable: false }
    if (code === 'WRONGTYPE') return { diagnoses: [place, wrong('redis-stream', withHint(error))], isUsable: false }
    if (['MOVED', 'ASK', 'CLUSTERDOWN', 'TRYAGAIN'].includes(code))
      return { diagnoses: [wrong('redis-cluster', withHint(error))], isUsable: false }
    return { diagnoses: [place, unknown('redis-stream', toError(error).message)], isUsable: false }
  }
}
