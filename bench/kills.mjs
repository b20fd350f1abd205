/**
 * `npm run bench:kills [-- RUNS]`: what a kill in the middle of a run does to owm, and to what one would write instead.
 *
 * Each side is to bring 20,000 locations into Redis. It is killed (SIGKILL) at a random moment of its run and started
 * again with the same command, as cron would; then its tasks in Redis are counted. RUNS (10) times, in turns.
 */
import { clear, killed, timed } from './scene.mjs'
import * as work from './work.mjs'
import { cwd, lacks, redis, stream } from './work.mjs'

const runs = Number(process.argv[2] ?? 10)
const count = 20_000
/** How many tasks are asked for at once. */
const page = 5_000

if (!redis || lacks.classic) throw new Error(lacks.redis ?? lacks.classic)
const { client } = redis

try {
  await main(await sidesOf())
} finally {
  await redis.stop()
  clear()
}

/**
 * @typedef {object} Side
 * @property {string} name
 * @property {(outbox: string) => string[]} command
 * @property {() => Promise<number[]>} held the locations of the tasks that are there
 *
 * @returns {Promise<Side[]>}
 */
async function sidesOf() {
  const installed = await work.fetched('bullmq', 'bullmq@6', 'ioredis@5')
  if (installed === undefined) throw new Error('bullmq could not be fetched (npm install bullmq@6 ioredis@5)')
  const ours = [...work.simulated(count), ...work.toRedis, '--slot', '2026-11-26T10:00:00Z', '--outbox']
  const queue = work.queueing(count, installed)
  return [
    {
      name: 'owm',
      command: (outbox) => [process.execPath, work.owm, 'produce', ...ours, outbox],
      held: inStream,
    },
    { name: 'classic producer, with an outbox', command: (outbox) => work.classically(count, outbox), held: inStream },
    { name: 'BullMQ `addBulk`', command: () => queue, held: inQueue },
    { name: 'the same, ids made of slot and location', command: () => [...queue, '2026112610'], held: inQueue },
  ]
}

/** @param {readonly Side[]} sides */
async function main(sides) {
  const found = sides.map((side) => ({ side, whole: 0, missing: 0, twice: 0 }))
  for (const each of found) each.whole = await wholeRun(each.side)
  for (let round = 0; round < runs; round++)
    for (const each of found) {
      const { missing, twice } = await killAndRepeat(each.side, each.whole)
      each.missing += missing
      each.twice += twice
    }
  console.log(`\`npm run bench:kills\`: ${runs} runs of ${count.toLocaleString('en')} locations, each killed once.\n`)
  console.log('| what | missing | delivered more than once |\n| --- | --- | --- |')
  for (const { side, missing, twice } of found)
    console.log(`| ${[side.name, ...[missing, twice].map((each) => each.toLocaleString('en'))].join(' | ')} |`)
}

/** Seconds that nothing disturbs. @param {Side} side */
async function wholeRun({ command }) {
  await work.emptyRedis()
  return (await timed(command(work.fresh('whole.db')), { cwd })).seconds
}

/** @param {Side} side @param {number} whole seconds */
async function killAndRepeat(side, whole) {
  for (;;) {
    await work.emptyRedis()
    const command = side.command(work.fresh('killed.db'))
    // One that ended before it was to die says nothing.
    if (!(await killed(command, whole * Math.random(), { cwd }))) continue
    await timed(command, { cwd })
    const ids = await side.held()
    const distinct = new Set(ids).size
    return { missing: count - distinct, twice: ids.length - distinct }
  }
}

async function inStream() {
  const ids = []
  for (let from = '-'; ; ) {
    const entries = await client.xrange(stream, from, '+', 'COUNT', page)
    for (const [, [, task = '{}']] of entries) ids.push(JSON.parse(task).location_id)
    if (entries.length < page) return ids
    from = `(${entries.at(-1)?.[0]}`
  }
}

async function inQueue() {
  const ids = []
  for (let from = 0; ; from += page) {
    const jobs = await client.lrange('bull:owm:wait', from, from + page - 1)
    const tasks = await Promise.all(jobs.map((job) => client.hget(`bull:owm:${job}`, 'data')))
    for (const task of tasks) ids.push(JSON.parse(task ?? '{}').location_id)
    if (jobs.length < page) return ids
  }
}
