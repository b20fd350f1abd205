/**
 * `node bench/sinks.mjs [COUNT]`: what each sink makes of the same tasks, side by side, for docs/sinks.md.
 *
 * COUNT (200,000) simulated locations are stored once; then each sink gets a copy of that outbox with `owm flush`,
 * three times, and the best counts. Redis keeps nothing on the disk, and once more has an append-only file, synced each
 * second; PostgreSQL commits to its disk.
 */
import { copyFileSync, readFileSync, statSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { clear, root } from './scene.mjs'
import { folder, fresh, pendingOutbox, redis, remove, run, toFile, toRedis } from './work.mjs'

const count = Number(process.argv[2] ?? 200_000)
const few = 1_000
const times = 3
const MiB = 2 ** 20

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} guarantee
 * @property {readonly string[]} sink owm's arguments
 * @property {() => Promise<unknown>} empty
 * @property {() => Promise<number>} held bytes that the store has of all tasks
 */

if (!redis) throw new Error('no redis-server on PATH (Debian: apt-get install redis-server)')
const { client } = redis
const { startPostgres } = await tsImport('../test/support/databases.ts', import.meta.url)
const database = await startPostgres({ fsync: 'on', shared_buffers: '128MB', max_wal_size: '1GB' })
try {
  const { makeWorkerUtils } = await import('graphile-worker')
  const worker = await makeWorkerUtils({ connectionString: database.url })
  await worker.migrate()
  await worker.release()
  await main()
} finally {
  await redis.stop()
  await database.stop()
  clear()
}

/** @returns {Row[]} */
function rows() {
  const file = join(folder, 'tasks.jsonl')
  const stream = ['--set', 'sink.maxLength=100000000']
  const toPostgres = ['--sink', 'postgres', '--set', `sink.url=${database.url}`]
  const inRedis = async () => Number(await client.memory('USAGE', 'owm-ingestion-stream', 'SAMPLES', 0))
  const onDisk = async (/** @type {string} */ table) => {
    const [row] = await database.query(`SELECT pg_total_relation_size('${table}') AS bytes`)
    return Number(row.bytes)
  }
  const emptyRedis = async (/** @type {'yes' | 'no'} */ appendonly) => {
    await client.config('SET', 'appendonly', appendonly)
    await client.flushall('SYNC')
  }
  const emptyTable = () => database.query('DROP TABLE IF EXISTS tasks, tasks_sink, tasks_fence, tasks_receipt')
  const emptyJobs = async () => {
    await database.query('DROP TABLE IF EXISTS jobs_sink, jobs_fence, jobs_receipt')
    await database.query('TRUNCATE graphile_worker._private_jobs')
  }
  const exactly = 'exactly once'
  const toTable = [...toPostgres, '--set', 'sink.table=tasks']
  const toJobs = [...toPostgres, '--set', 'sink.table=jobs', '--set', 'sink.queue=graphile-worker']
  const both = [...toRedis, ...stream]
  return [
    { name: 'redis-stream', guarantee: exactly, sink: both, empty: () => emptyRedis('no'), held: inRedis },
    {
      ...{ name: 'redis-stream, appendonly', guarantee: exactly, sink: both },
      ...{ empty: () => emptyRedis('yes'), held: inRedis },
    },
    { name: 'postgres', guarantee: exactly, sink: toTable, empty: emptyTable, held: () => onDisk('tasks') },
    {
      ...{ name: 'postgres, graphile-worker', guarantee: exactly, sink: toJobs },
      ...{ empty: emptyJobs, held: () => onDisk('graphile_worker._private_jobs') },
    },
    {
      ...{ name: 'jsonl', guarantee: 'at least once', sink: toFile(file) },
      ...{ empty: async () => remove(file), held: async () => statSync(file).size },
    },
  ]
}

async function main() {
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.versions.node}`
  const [{ server_version: version }] = await database.query('SHOW server_version')
  process.stdout.write(
    `${count.toLocaleString('en')} tasks; ${machine}, Redis ${redis?.version}, PostgreSQL ${version}\n\n`,
  )
  process.stdout.write(
    '| sink | guarantee | tasks/s | memory of owm | bytes a task there |\n| --- | --- | --- | --- | --- |\n',
  )
  const [large, small] = [await pendingOutbox(count), await pendingOutbox(few)]
  for (const row of rows()) {
    await timed(row, small) // to warm up
    const all = []
    for (let time = 0; time < times; time++) {
      const start = await timed(row, small)
      all.push({ ...(await timed(row, large)), start: start.seconds, held: await row.held() })
    }
    const rate = Math.max(...all.map(({ seconds, start }) => (count - few) / (seconds - start)))
    const memory = Math.max(...all.map(({ bytes }) => bytes))
    const held = Math.min(...all.map(({ held }) => held)) / count
    process.stdout.write(
      `| ${row.name} | ${row.guarantee} | ${Math.round(rate).toLocaleString('en')} | ` +
        `${Math.round(memory / MiB)} MiB | ${Math.round(held)} |\n`,
    )
  }
}

/** `owm flush` of a copy into an empty sink. @param {Row} row @param {string} pending */
async function timed({ sink, empty }, pending) {
  await empty()
  const [outbox, report] = [fresh('copy.db'), fresh('peak')]
  copyFileSync(pending, outbox)
  const { seconds } = await run(['flush', ...sink, '--outbox', outbox], {
    before: ['--import', join(root, 'bench/usage.mjs')],
    env: { OWM_BENCH_PEAK: report },
  })
  remove(outbox)
  return { seconds, bytes: Number(readFileSync(report, 'utf8')) }
}
