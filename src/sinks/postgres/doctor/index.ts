/** Examines PostgreSQL: reads only, and needs no right that a run doesn't. */
import { errorKindOf, toError, withHint } from '../../../errors/index.js'
import type { Diagnosis, Patient } from '../../../plugin.js'
import { age, count } from '../../../words.js'
import { isThisMachine, unasked } from '../../doctor.js'
import type { Connection, Row } from '../connection.js'
import type { Settings } from '../options.js'
import { checks } from './checks.js'
import { placeChecks } from './place.js'
import { type Examined, judged } from './verdict.js'

export { checks } from './checks.js'

export async function examined(parts: Examined, patient: Patient): Promise<readonly Diagnosis[]> {
  const { connection } = parts
  const diagnoses: Diagnosis[] = [tlsCheck(connection)]
  const server = await connection.read(serverSql).then(
    ([row]) => row ?? {},
    (error: unknown) => toError(error),
  )
  if (server instanceof Error) {
    const code = errorKindOf(server) === 'configuration' ? 'postgres-refused' : 'postgres-reachable'
    diagnoses.push(judged(code, true, withHint(server)))
  } else {
    diagnoses.push(
      judged('postgres-reachable', false, `${connection.title} answers`),
      judged('postgres-refused', false, 'role, password and database are taken'),
      ...serverChecks(server, patient.now()),
    )
    diagnoses.push(...(await placeChecks(parts, patient)))
  }
  const why = server instanceof Error ? 'PostgreSQL could not be asked' : skippedBecause(diagnoses)
  return [...diagnoses, ...unasked(codesFor(parts.settings), diagnoses, why)]
}

const skippedBecause = (diagnoses: readonly Diagnosis[]): string =>
  diagnoses.some(({ code, verdict }) => code === 'graphile-worker' && verdict === 'wrong')
    ? 'graphile-worker comes first'
    : 'the tables are not there yet'

/** The checks that apply to tasks in a table, or to jobs. */
const codesFor = ({ queue }: Settings): string[] =>
  Object.keys(checks).filter((code) =>
    queue === undefined ? !code.startsWith('graphile-') : code !== 'postgres-truncate' && code !== 'postgres-ids',
  )

function tlsCheck({ isEncrypted, passwordGoesTo: host }: Connection): Diagnosis {
  if (isEncrypted) return judged('postgres-tls', false, 'the connection speaks TLS')
  if (host === '') return judged('postgres-tls', false, 'no password goes over a network')
  const isNear = isThisMachine(host)
  return judged('postgres-tls', !isNear, isNear ? 'the server is on this machine' : `no TLS on the way to ${host}`)
}

const serverSql = `SELECT
  current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS is_standby,
  current_setting('default_transaction_read_only') AS read_only,
  current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
  (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
  extract(epoch FROM clock_timestamp()) * 1000 AS now`

/** As a share of max_connections. */
const mostConnections = 0.9

const mostSkewMs = 5_000

function serverChecks(row: Row, now: number): Diagnosis[] {
  const isStandby = row['is_standby'] === true
  const isReadOnly = row['read_only'] === 'on'
  const [used, most] = [Number(row['used']), Number(row['most'])]
  const isDurable = row['fsync'] === 'on' && row['synchronous_commit'] !== 'off'
  const skew = Number(row['now']) - now
  const writable = isStandby
    ? 'it is a standby'
    : isReadOnly
      ? 'default_transaction_read_only is on'
      : 'it takes writes'
  return [
    judged('postgres-encoding', row['encoding'] !== 'UTF8', `the encoding is ${row['encoding']}`),
    judged('postgres-primary', isStandby || isReadOnly, writable),
    judged(
      'postgres-durability',
      !isDurable,
      `fsync is ${row['fsync']}, synchronous_commit is ${row['synchronous_commit']}`,
    ),
    judged('postgres-connections', used > mostConnections * most, `${count(used)} of ${count(most)} are in use`),
    judged(
      'postgres-clock',
      Math.abs(skew) > mostSkewMs,
      Math.abs(skew) > mostSkewMs ? `they differ by ${age(Math.abs(skew))}` : 'they agree',
    ),
  ]
}
