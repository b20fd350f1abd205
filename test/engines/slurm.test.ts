/**
 * docs/deploy/slurm.md and deploy/slurm, with a Slurm on this machine: every shard is done, and the one that finds
 * Redis down is run again by Slurm. In the long form ten shards, and Slurm's two minutes before it does.
 */
import { execFile } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bin, root, temporaryFolder, until } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
import { entriesIn } from '../support/contents.js'
import { blocksOf } from '../support/pages.js'
import { startRedisProcess, type TestRedis } from '../support/redis.js'
import { type Slurm, startSlurm } from '../support/slurm.js'

const shards = isLong ? 10 : 2

let slurm: Slurm
let redis: TestRedis
beforeAll(async () => {
  redis = await startRedisProcess()
  slurm = await startSlurm()
})
afterAll(async () => {
  await slurm?.stop()
  await redis?.stop()
})

/** A folder for PATH with an owm that, as shard 1, finds no Redis in its first run. */
async function programs(): Promise<string> {
  const folder = await temporaryFolder()
  const lines = [
    '#!/bin/sh',
    'if [ "$JOB_COMPLETION_INDEX" = 1 ] && [ -z "$SLURM_RESTART_COUNT" ]; then REDIS_URL=redis://127.0.0.1:1; fi',
    `exec ${process.execPath} ${bin} "$@"`,
  ]
  await writeFile(join(folder, 'owm'), lines.join('\n'), { mode: 0o755 })
  return folder
}

it('every shard is done, and the one that finds Redis down is run again', { timeout: 300_000 }, async () => {
  const cwd = await temporaryFolder()
  await symlink(join(root, 'deploy'), join(cwd, 'deploy'))
  const PATH = [await programs(), process.env['PATH']].join(delimiter)
  const page = await readFile(join(root, 'docs', 'deploy', 'slurm.md'), 'utf8')
  const [block] = blocksOf(page).filter(({ language }) => language === 'sh')
  const edit = [`s|/var/lib/owm|${cwd}|`, `s/shards: 10/shards: ${shards}/`, '$a retry: {attempts: 1}']
  const edited = `sed -i ${edit.map((one) => `-e '${one}'`).join(' ')} owm.yaml\nsbatch --array=0-${shards - 1} owm`
  const commands = block?.text.replace('sbatch owm', edited) ?? 'false'
  const env = { ...slurm.env, PATH, HOME: cwd, REDIS_URL: redis.url }
  await promisify(execFile)('sh', ['-euc', commands], { cwd, env })

  const tasks = async (state: RegExp): Promise<number> => {
    await delay(500) // a process for each look
    return (await slurm.command('scontrol', 'show', 'job', '-o')).split('\n').filter((task) => state.test(task)).length
  }
  const isDone = / JobState=COMPLETED /
  await until(async () => (await tasks(isDone)) === shards - 1, 100_000)
  await until(() => tasks(/ ArrayTaskId=1 .* JobState=PENDING Reason=BeginTime .* Restarts=1 .* ExitCode=75:0 /))
  if (!isLong) {
    await delay(2_000) // slurmd refuses a task that ended in the same second
    await slurm.command('scontrol', 'update', 'JobId=1_1', 'StartTime=now')
  }
  await until(async () => (await tasks(isDone)) === shards, 200_000)

  const texts = await entriesIn({ kind: 'redis-stream', url: redis.url, stream: 'owm-ingestion-stream' })
  const ids = texts.map((text): unknown => JSON.parse(text).task_id)
  expect({ entries: ids.length, different: new Set(ids).size }).toEqual({ entries: 1000, different: 1000 })
  const logs = await Promise.all([0, 1].map((index) => readFile(join(cwd, 'run', `owm-${index}.log`), 'utf8')))
  expect(logs.map((log) => log.includes('ECONNREFUSED'))).toEqual([false, true])
})
