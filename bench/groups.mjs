/** What is compared with what, and the goals: they are the budget that each change of owm has to keep. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { listening, readAlong, timed } from './scene.mjs'
import * as work from './work.mjs'
import { cwd, fresh, lacks, redis, run, simulated, toRedis } from './work.mjs'

/**
 * @typedef {object} Side
 * @property {string} label
 * @property {() => Promise<number>} run seconds, or bytes
 * @property {string | undefined} [missing] why it can't run here
 *
 * @typedef {object} Row
 * @property {string} what
 * @property {string} a key of the side that is judged
 * @property {string} against
 * @property {string} b key of the side that it is measured against; '' for a bound of its own
 * @property {{atMost: number} | {timesAsFast: number} | {bytes: number} | {secondsMore: number}} [goal] without one:
 *   for information
 * @property {number} [scale] locations of a over locations of b: time a task is compared
 *
 * @typedef {object} Group
 * @property {string} name
 * @property {number} reps
 * @property {boolean} [cold] no warm-up
 * @property {boolean} [bytes] the sides give bytes
 * @property {() => Promise<Record<string, Side>>} sides makes what they need; not timed
 * @property {Row[]} rows
 * @property {() => Promise<void>} [after]
 */

const MiB = 2 ** 20
const isNode24 = Number.parseInt(process.versions.node, 10) >= 24
const words = (/** @type {number} */ count) => count.toLocaleString('en')

/**
 * @typedef {object} How
 * @property {boolean} quick
 * @property {number} reps
 * @property {number} big locations, where it is about how time and memory grow
 * @property {number} bulk locations, against the slow peers
 * @property {(text: string) => void} say
 */

/** @type {(how: How) => Group} */
const start = ({ quick, reps }) => ({
  name: 'start',
  reps: Math.max(reps, quick ? 5 : 15),
  async sides() {
    const node = async () => (await timed([process.execPath, '-e', '0'], { cwd })).seconds
    const start = (/** @type {string} */ flag) => ({ label: flag, run: async () => (await run([flag])).seconds })
    return { node: { label: 'node -e 0', run: node }, version: start('--version'), help: start('--help') }
  },
  rows: [
    { what: '`owm --version`', a: 'version', against: '`node -e 0`', b: 'node' },
    { what: '`owm --help`', a: 'help', against: '`node -e 0`', b: 'node', goal: { atMost: 3 } },
  ],
})

/** @type {(how: How) => Group} */
const produceOf16 = ({ quick, reps }) => ({
  name: 'produce-16',
  reps: Math.max(reps, quick ? 3 : 9),
  async sides() {
    const asInCron = fresh('cron')
    mkdirSync(asInCron)
    const sink = `sink:\n  use: redis-stream\n  url: ${redis?.url}\n`
    const config = `source:\n  use: simulated-db\n  count: 16\n${sink}outbox:\n  path: ${fresh('kept.db')}\n`
    writeFileSync(join(asInCron, '.owmrc.yaml'), config)
    const kept = async () => (await run(['produce'], { cwd: asInCron })).seconds
    const newer = isNode24 || quick ? undefined : await work.fetched('node', 'node@24')
    const node24 = join(newer ?? '', 'node_modules/node/bin/node')
    const noNode24 = isNode24 || quick || newer ? undefined : 'it could not be fetched (npm install node@24)'
    return {
      owm: { label: 'owm', run: () => work.produce(16), missing: lacks.redis },
      kept: { label: 'owm, outbox there', run: kept, missing: lacks.redis },
      classic: { label: 'classic.py', run: () => work.classic(16), missing: lacks.redis ?? lacks.classic },
      ...(isNode24 || quick
        ? {}
        : {
            node24: {
              label: 'owm on Node 24',
              run: () => work.produce(16, node24),
              missing: lacks.redis ?? noNode24,
            },
          }),
    }
  },
  rows: [
    {
      what: '`produce` of 16',
      a: 'owm',
      against: 'classic producer',
      b: 'classic',
      goal: { atMost: isNode24 ? 1.8 : 2.5 },
    },
    {
      what: '`produce` of 16 on Node 24',
      a: 'node24',
      against: 'classic producer',
      b: 'classic',
      goal: { atMost: 1.8 },
    },
    {
      what: '`produce` of 16 as in cron: outbox and .owmrc.yaml are there',
      a: 'kept',
      against: 'classic producer',
      b: 'classic',
    },
  ],
})

/** @type {(how: How) => Group} */
const produceOf100000 = ({ reps }) => ({
  name: 'produce',
  reps,
  async sides() {
    const missing = lacks.redis ?? lacks.redisCli ?? lacks.python
    if (missing === undefined) await work.readyMade(100_000)
    return {
      owm: { label: 'owm', run: () => work.produce(100_000), missing: lacks.redis },
      floor: { label: 'floor.py', run: () => work.floor(100_000), missing },
    }
  },
  rows: [
    {
      what: '`produce` of 100,000',
      a: 'owm',
      against: 'floor: SQLite and `redis-cli --pipe` alone, by its own clock',
      b: 'floor',
      goal: { atMost: 2 },
    },
  ],
})

/** @type {(how: How) => Group} */
const signals = ({ quick, reps }) => {
  const count = quick ? 20_000 : 100_000
  /** @type {(() => void) | undefined} */
  let stop
  return {
    name: 'signals',
    reps: Math.max(reps, quick ? 5 : 15),
    async sides() {
      const listener = await listening()
      stop = listener.stop
      const [off, on] = [{}, signalling(listener.url)].map((more) => {
        const folder = fresh('signals')
        mkdirSync(folder)
        const source = { use: 'simulated-db', count }
        const config = { source, sink: { use: 'redis-stream', url: redis?.url }, outbox: { path: './o.db' }, ...more }
        writeFileSync(join(folder, '.owmrc.json'), JSON.stringify(config))
        return folder
      })
      return {
        off: { label: 'nothing on', run: () => work.produceIn(off ?? '', count), missing: lacks.redis },
        on: { label: 'all on', run: () => work.produceIn(on ?? '', count), missing: lacks.redis },
      }
    },
    rows: [
      {
        what: `\`produce\` of ${words(count)} with metrics (file and gateway), pings, hooks, JSON log and traces`,
        a: 'on',
        against: 'the same without them',
        b: 'off',
        goal: { atMost: 1.05 },
      },
    ],
    async after() {
      stop?.()
    },
  }
}

/** All that owm can tell others, told to a server that says yes. @param {string} url */
const signalling = (url) => ({
  metrics: { textfile: './owm.prom', pushgateway: { url }, labels: { host: 'bench' } },
  notify: { ping: `${url}/check`, on: { recovered: [{ url }], shrunk: [{ command: ['true'] }] } },
  log: { format: 'json' },
  task: { traceparent: true },
})

/** @type {(how: How) => Group} */
const peers = ({ quick, reps, bulk }) => ({
  name: 'peers',
  reps,
  async sides() {
    const installed = redis && (await work.fetched('bullmq', 'bullmq@6', 'ioredis@5'))
    const notFetched = installed ? undefined : 'bullmq could not be fetched (npm install bullmq@6 ioredis@5)'
    const missing = lacks.redis ?? lacks.classic
    return {
      owm: { label: 'owm', run: () => work.produce(bulk), missing: lacks.redis },
      classic: { label: 'classic.py', run: () => work.classic(bulk), missing },
      // For information, so not in a hurry.
      ...(quick ? {} : { indexed: { label: 'classic.py --index', run: () => work.classic(bulk, '--index'), missing } }),
      bullmq: { label: 'BullMQ', run: () => work.bullmq(bulk, installed ?? ''), missing: lacks.redis ?? notFetched },
    }
  },
  rows: [
    {
      what: `\`produce\` of ${words(bulk)}`,
      a: 'owm',
      against: 'classic producer',
      b: 'classic',
      goal: { timesAsFast: 8 },
    },
    {
      what: `\`produce\` of ${words(bulk)}`,
      a: 'owm',
      against: 'classic producer with an index',
      b: 'indexed',
    },
    {
      what: `\`produce\` of ${words(bulk)}`,
      a: 'owm',
      against: 'BullMQ `addBulk` of 500, no outbox',
      b: 'bullmq',
      goal: { timesAsFast: 1 },
    },
  ],
})

/** @type {(how: How) => Group} */
const flush = ({ reps }) => ({
  name: 'flush',
  reps,
  async sides() {
    const missing = lacks.redis ?? lacks.redisCli
    const pending = redis ? await work.pendingOutbox(100_000) : ''
    if (missing === undefined) await work.readyMade(100_000)
    return {
      owm: { label: 'owm flush', run: () => work.flush(100_000, pending), missing: lacks.redis },
      pipe: { label: 'redis-cli --pipe', run: () => work.pipe(100_000), missing },
    }
  },
  rows: [
    {
      what: '`flush` of 100,000 pending',
      a: 'owm',
      against: '`redis-cli --pipe` of the same XADDs',
      b: 'pipe',
      goal: { atMost: 3.5 },
    },
  ],
})

/** @type {(how: How) => Group} */
const inspect = ({ quick, reps, big }) => ({
  name: 'inspect',
  reps: quick ? reps : Math.max(reps, 9),
  async sides() {
    const look = (/** @type {string} */ outbox) => async () =>
      (await run(['outbox', 'inspect', '--outbox', outbox])).seconds
    const [small, large] = [await work.pendingOutbox(1_000), await work.pendingOutbox(big)]
    return { small: { label: '1,000', run: look(small) }, large: { label: words(big), run: look(large) } }
  },
  rows: [
    {
      what: `\`outbox inspect\` with ${words(big)} pending`,
      a: 'large',
      against: 'with 1,000 pending',
      b: 'small',
      goal: { atMost: 2 },
    },
  ],
})

/** @type {(how: How) => Group} */
const plan = ({ quick, reps, big }) => ({
  name: 'plan',
  reps,
  async sides() {
    const list = await work.csvOf(big, ['1h', '3h', '6h', '1d'])
    const planOf =
      (/** @type {string[]} */ ...flags) =>
      async () => {
        const source = ['--set', 'source.use=static-list', '--set', `source.file=${list}`]
        const cadence = ['--set', 'cadence.field=every', '--set', 'cadence.spread=true']
        return (await run(['plan', '-q', ...source, ...cadence, '--set', 'schedule.cron=0 * * * *', ...flags])).seconds
      }
    return {
      all: { label: 'all', run: planOf() },
      none: { label: 'none', run: planOf('--set', 'source.where.city=nowhere', '--set', 'source.minLocations=0') },
    }
  },
  rows: [
    {
      what: `\`plan\` of a CSV of ${words(big)} with a cadence each`,
      a: 'all',
      against: 'of the same list, all of it left out: reading alone',
      b: 'none',
      goal: { secondsMore: quick ? 0.2 : 2 },
    },
  ],
})

/** @type {(how: How) => Group} */
const linear = ({ quick, reps, big }) => {
  const medium = quick ? 40_000 : 100_000
  /** @type {(() => Promise<void>) | undefined} */
  let keepUp
  return {
    name: 'linear',
    reps,
    // As in the steady state: the stream is full, a consumer group keeps up, so owm trims with every batch.
    async sides() {
      if (!redis) return { small: { label: '', run: async () => 0, missing: lacks.redis } }
      const list = await work.csvOf(big)
      await work.emptyRedis()
      keepUp = await readAlong(redis.client, work.stream)
      await run(['produce', ...simulated(110_000), ...toRedis, '--outbox', fresh('filler.db')])
      const full = (/** @type {readonly string[]} */ source) => async () => {
        const outbox = fresh('outbox.db')
        const { seconds } = await run(['produce', ...source, ...toRedis, '--outbox', outbox])
        work.remove(outbox)
        return seconds
      }
      return {
        small: { label: words(medium), run: full(simulated(medium)) },
        large: { label: words(big), run: full(simulated(big)) },
        csv: { label: `CSV ${words(big)}`, run: full(['--source', 'static-list', '--set', `source.file=${list}`]) },
      }
    },
    rows: [
      {
        what: `\`produce\` of ${words(big)}, stream full, read along`,
        a: 'large',
        against: `${words(medium)}, time a task`,
        b: 'small',
        goal: { atMost: 1.15 },
        scale: big / medium,
      },
      {
        what: `\`produce\` of a CSV of ${words(big)}`,
        a: 'csv',
        against: `simulated-db, ${words(big)}`,
        b: 'large',
        goal: { atMost: 2 },
      },
    ],
    async after() {
      await keepUp?.()
    },
  }
}

/** @type {(how: How) => Group} */
const memory = ({ quick, reps, say }) => {
  const [small = 0, medium = 0, large = 0] = quick ? [50_000, 150_000, 150_000] : [100_000, 1_000_000, 10_000_000]
  const what = (/** @type {number} */ count) => `peak memory, ${words(count)} through jsonl`
  const side = (/** @type {number} */ count) => ({
    label: words(count),
    run: async () => {
      const { bytes, onDisk } = await work.peak(count)
      say(`  ${words(count)} through jsonl: ${Math.round(onDisk / MiB)} MiB in files`)
      return bytes
    },
  })
  return {
    name: 'memory',
    reps,
    cold: true,
    bytes: true,
    sides: async () => Object.fromEntries([small, medium, large].map((count) => [String(count), side(count)])),
    rows: [
      {
        what: what(medium),
        a: String(medium),
        against: `that of ${words(small)}`,
        b: String(small),
        goal: { atMost: 1.25 },
      },
      { what: what(large), a: String(large), against: '200 MiB', b: '', goal: { bytes: 200 * MiB } },
    ],
  }
}

/** @param {boolean} quick smaller sizes @param {number} reps @param {(text: string) => void} say @returns {Group[]} */
export function groups(quick, reps, say) {
  const how = { quick, reps, big: quick ? 100_000 : 1_000_000, bulk: quick ? 20_000 : 100_000, say }
  return [start, produceOf16, produceOf100000, signals, peers, flush, inspect, plan, linear, memory].map((group) =>
    group(how),
  )
}
