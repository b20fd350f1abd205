/**
 * `node bench/sinks.mjs [COUNT]`: what each sink makes of the same tasks, side by side, for docs/sinks.md.
 *
 * COUNT (200,000) simulated locations are stored; then each sink gets a copy of that outbox with `owm flush`,
 * three times, and the best counts. Redis keeps nothing on the disk, and once more has an append-only file, synced each
 * second; PostgreSQL commits to its disk.
 */
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
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
 * @property {readonly string[]} [more] arguments, of storing too
 * @property {() => Promise<unknown>} empty
 * @property {() => Promise<number>} held bytes that the store has of all tasks
 * @property {() => Promise<number>} cpu seconds that the store has used
 */

if (!redis) throw new Error('no redis-server on PATH (Debian: apt-get install redis-server)')
const { client } = redis
const { startPostgres, withJobs } = await tsImport('../test/support/databases.ts', import.meta.url)
const database = await startPostgres({ fsync: 'on', shared_buffers: '128MB', max_wal_size: '1GB' })
try {
  await withJobs(database)
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
  const ofRedis = async () => {
    const info = await client.info('cpu')
    return Number(/used_cpu_user:([\d.]+)/.exec(info)?.[1]) + Number(/used_cpu_sys:([\d.]+)/.exec(info)?.[1])
  }
  const exactly = 'exactly once'
  const toTable = [...toPostgres, '--set', 'sink.table=tasks']
  const toJobs = [...toPostgres, '--set', 'sink.table=jobs', '--set', 'sink.queue=graphile-worker']
  const both = [...toRedis, ...stream]
  return [
    {
      name: 'redis-stream',
      guarantee: exactly,
      sink: both,
      cpu: ofRedis,
      empty: () => emptyRedis('no'),
      held: inRedis,
    },
    {
      name: 'redis-stream, appendonly',
      guarantee: exactly,
      sink: both,
      cpu: ofRedis,
      empty: () => emptyRedis('yes'),
      held: inRedis,
    },
    {
      name: 'postgres',
      guarantee: exactly,
      sink: toTable,
      cpu: ofPostgres,
      empty: emptyTable,
      held: () => onDisk('tasks'),
    },
    {
      name: 'postgres, flush.batchSize 2000',
      guarantee: exactly,
      sink: toTable,
      cpu: ofPostgres,
      more: ['--set', 'flush.batchSize=2000'],
      empty: emptyTable,
      held: () => onDisk('tasks'),
    },
    {
      name: 'postgres, graphile-worker',
      guarantee: exactly,
      sink: toJobs,
      cpu: ofPostgres,
      empty: emptyJobs,
      held: () => onDisk('graphile_worker._private_jobs'),
    },
    {
      name: 'jsonl',
      guarantee: 'at least once',
      sink: toFile(file),
      cpu: async () => 0,
      empty: async () => remove(file),
      held: async () => statSync(file).size,
    },
  ]
}

/** CPU seconds of all of PostgreSQL's processes, those that have ended too. */
async function ofPostgres() {
  const [{ data_directory: data }] = await database.query('SHOW data_directory')
  const first = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0] ?? ''
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const words = statOf(pid)
    if (pid === first) ticks += Number(words[11]) + Number(words[12]) + Number(words[13]) + Number(words[14])
    else if (words[1] === first) ticks += Number(words[11]) + Number(words[12])
  }
  return ticks / 100 // a tick of /proc
}

/** The words of /proc/PID/stat behind the program's name; none where it has ended. @param {string} pid */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

async function main() {
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.versions.node}`
  const [{ server_version: version }] = await database.query('SHOW server_version')
  const head = [
    'sink',
    'guarantee',
    'tasks/s',
    'CPU of owm, us',
    'CPU of the store, us',
    'memory of owm',
    'bytes there',
  ]
  print([`${count.toLocaleString('en')} tasks; ${machine}, Redis ${redis?.version}, PostgreSQL ${version}`, '', ''])
  print([`| ${head.join(' | ')} |`, `|${head.map(() => ' --- ').join('|')}|`, ''])
  for (const row of rows()) {
    const [large, small] = [await pendingOutbox(count, row.more), await pendingOutbox(few, row.more)]
    await timed(row, small) // to warm up
    const all = []
    for (let time = 0; time < times; time++) {
      const start = await timed(row, small)
      all.push({ start, ...(await timed(row, large)), held: await row.held() })
    }
    const best = (/** @type {(one: typeof all[number]) => number} */ value) => Math.min(...all.map(value))
    const us = (/** @type {number} */ seconds) => ((seconds / (count - few)) * 1e6).toFixed(1)
    const words = [
      Math.round((count - few) / best(({ seconds, start }) => seconds - start.seconds)).toLocaleString('en'),
      us(best(({ cpu, start }) => cpu - start.cpu)),
      us(best(({ store, start }) => store - start.store)),
      `${Math.round(-best(({ peak }) => -peak) / MiB)} MiB`,
      Math.round(best(({ held }) => held) / count),
    ]
    print([`| ${[row.name, row.guarantee, ...words].join(' | ')} |`, ''])
  }
}

/** @param {readonly string[]} lines */
function print(lines) {
  process.stdout.write(lines.join('\n'))
}

/** `owm flush` of a copy into an empty sink. @param {Row} row @param {string} pending */
async function timed({ sink, more = [], empty, cpu: ofStore }, pending) {
  await empty()
  const [outbox, peak, usage] = [fresh('copy.db'), fresh('peak'), fresh('usage')]
  copyFileSync(pending, outbox)
  const before = await ofStore()
  const { seconds } = await run(['flush', ...sink, ...more, '--outbox', outbox], {
    before: ['--import', join(root, 'bench/usage.mjs')],
    env: { OWM_BENCH_PEAK: peak, OWM_BENCH_USAGE: usage },
  })
  remove(outbox)
  const number = (/** @type {string} */ file) => Number(readFileSync(file, 'utf8'))
  return { seconds, cpu: number(usage), peak: number(peak), store: (await ofStore()) - before }
}
