/** Redis under Sentinels: each command works, a failover is followed, and is no other sink. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { folderWith, owm, type Ran, startOwm, until } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'
import { hostOf, masterName, type Sentinels, startSentinels } from '../support/redis-groups.js'

const stream = 'owm-ingestion-stream'
const secrets = { password: 'tr0ub4dor-and-a-half', sentinelPassword: 'correct-horse-battery' }
const count = 3_000
let redis: Sentinels

beforeAll(async () => {
  const { password, sentinelPassword } = secrets
  redis = await startSentinels({
    replicas: 2,
    args: ['--requirepass', password, '--masterauth', password],
    lines: [`sentinel auth-pass ${masterName} ${password}`, `requirepass ${sentinelPassword}`],
    auth: { password },
    sentinelAuth: { password: sentinelPassword },
  })
  await redis.settled()
})
afterAll(() => redis.stop())

const folder = (sink: object = {}): Promise<string> =>
  folderWith({
    source: { use: 'simulated-db', count },
    sink: { use: 'redis-stream', sentinels: redis.sentinels.map(hostOf), name: masterName, ...secrets, ...sink },
    outbox: { path: './outbox.db' },
    retry: { attempts: 60, initialDelayMs: 50, maxDelayMs: 500 },
    breaker: { failures: 1_000 },
  })

/** Runs owm; nothing of what it prints or writes has a secret. */
async function told(cwd: string, args: readonly string[]): Promise<Ran> {
  const ran = await owm(args, { cwd })
  const names = (await readdir(cwd)).filter((name) => name.startsWith('outbox.db'))
  const files = await Promise.all(names.map((name) => readFile(join(cwd, name), 'latin1')))
  for (const text of [ran.stdout, ran.stderr, ...files])
    for (const secret of Object.values(secrets)) expect(text).not.toContain(secret)
  return ran
}

const produce = (hour: number): string[] => ['produce', '--slot', `2026-11-23T${hour}:00:00Z`, '--log-level', 'debug']

async function idsIn(): Promise<string[]> {
  const entries = await redis.client(await redis.master()).xrange(stream, '-', '+')
  return entries.map(([, [, data = '{}']]) => String(JSON.parse(data).task_id))
}

it('each command goes to the master; no secret is shown', async () => {
  const cwd = await folder()
  expect(await told(cwd, produce(10))).toMatchObject({ code: 0 })
  for (const args of [['stream', 'inspect'], ['verify'], ['config', 'check', '--connect']])
    expect(await told(cwd, args), args.join(' ')).toMatchObject({ code: 0, stderr: '' })
  const doctor = await told(cwd, ['doctor'])
  expect(doctor.stdout).toContain(`redis-reachable: ${hostOf(await redis.master())} answers`)
  expect(new Set(await idsIn()).size).toBe(count)
})

it('a name that no Sentinel knows, and a wrong password for them: 78, told by doctor, too', async () => {
  const cwd = await folder({ name: 'other' })
  expect(await told(cwd, produce(11))).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/know no master other[\s\S]*sink\.name/),
  })
  expect(await told(cwd, ['doctor'])).toMatchObject({
    code: 78,
    stdout: expect.stringMatching(/redis-refused: .*know no master other/),
  })
  const wrong = await told(await folder({ sentinelPassword: 'mistyped-by-hand' }), produce(11))
  expect(wrong).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/No Sentinel told .*WRONGPASS[\s\S]*sentinelPassword/),
  })
})

it('a planned failover amid a run is heard at once, a killed master replaced: all is there once', async () => {
  const cwd = await folder()
  const before = await redis.master()
  await redis.client(before).del(stream)
  // A source that takes its time: the run is longer than the failover.
  const slow = ['count=20000', 'pageSize=100', 'latencyMs=40'].flatMap((one) => ['--set', `source.${one}`])
  const running = startOwm([...produce(13), ...slow], { cwd })
  await until(async () => (await redis.client(before).xlen(stream)) > 1_000)
  await redis.failover(before)
  const planned = await redis.movedFrom(before)
  expect(running.child.exitCode, 'it still runs').toBeNull()
  const ran = await running.ended
  expect(ran.code, ran.stderr).toBe(0)
  expect(ran.stderr).not.toMatch(/READONLY/) // what the old master says, 10 s later
  expect(await redis.client(planned).xlen(stream), 'all of the run is there').toBe(20_000)
  await planned.kill('SIGKILL')
  expect(await told(cwd, produce(14)), 'the same sink').toMatchObject({ code: 0 })
  expect(await redis.movedFrom(planned)).not.toBe(before)
  const ids = await idsIn()
  expect([ids.length, new Set(ids).size]).toEqual([20_000 + count, 20_000 + count])
})

it('one Sentinel of another group, which knows of more failovers, leads nobody astray', async () => {
  const other = await startRedisProcess()
  const lines = [
    `sentinel monitor ${masterName} ${other.host} ${other.port} 1`,
    `sentinel config-epoch ${masterName} 999`,
    `requirepass ${secrets.sentinelPassword}`,
  ]
  const liar = await startRedisProcess({ sentinel: `${lines.join('\n')}\n` })
  onTestFinished(() => liar.stop())
  onTestFinished(() => other.stop())
  const [one, two] = redis.sentinels.map(hostOf)
  const cwd = await folder({ sentinels: [one, hostOf(liar), two] })
  for (const hour of [15, 16]) expect(await told(cwd, produce(hour))).toMatchObject({ code: 0 })
  const elsewhere = new Redis(other.port, other.host)
  onTestFinished(() => elsewhere.disconnect())
  expect(await elsewhere.xlen(stream)).toBe(0)
  const contradicted = await folder({ sentinels: [one, hostOf(liar)] })
  const ran = await owm([...produce(17), '--set', 'retry.attempts=1'], { cwd: contradicted })
  expect(ran).toMatchObject({ code: 75, stderr: expect.stringContaining("Sentinels don't agree") })
})

it('one Sentinel that is frozen costs no time-out', async () => {
  const frozen = redis.sentinels.at(-1)
  await frozen?.kill('SIGSTOP')
  onTestFinished(() => frozen?.kill('SIGCONT'))
  const hour = 3_600_000
  const cwd = await folder({ connectTimeoutMs: hour, healthCheckTimeoutMs: hour, commandTimeoutMs: hour })
  expect(await told(cwd, produce(12))).toMatchObject({ code: 0 })
})
