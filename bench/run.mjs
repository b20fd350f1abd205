/**
 * `npm run bench`: owm beside its peers, whole processes, side by side in one run.
 *
 *     npm run bench -- [--quick] [--only NAME]… [--reps N] [--markdown FILE]
 *
 * Every side runs once to warm up, then the sides take turns. The default
 * configuration is what runs, synchronous=FULL included; where a row departs
 * from it, its text says so. What a side needs beforehand (an outbox, a list)
 * is made before the clock starts, what it claims is checked after it stops.
 */
import {
  closeSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { clear, extraCertificates, readAlong, root, scene, startRedis, timed, works } from './scene.mjs'

/**
 * @typedef {object} Side
 * @property {string} label
 * @property {() => Promise<number>} run seconds, or bytes
 * @property {string} [missing] why it can't run here
 *
 * @typedef {object} Row
 * @property {string} what
 * @property {string} a key of the side that is judged
 * @property {string} against
 * @property {string} b key of the side that it is measured against; '' for a bound of its own
 * @property {{atMost: number} | {timesAsFast: number} | {bytes: number} | undefined} goal undefined: for information
 * @property {number} [scale] locations of a over locations of b: time a task is compared
 *
 * @typedef {object} Group
 * @property {string} name
 * @property {number} reps
 * @property {boolean} [cold] no warm-up
 * @property {() => Promise<Record<string, Side>>} sides makes what they need; not timed
 * @property {Row[]} rows
 * @property {() => Promise<void>} [after]
 */

const stream = 'owm-ingestion-stream'
const MiB = 2 ** 20

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    reps: { type: 'string' },
    markdown: { type: 'string' },
  },
})
const { quick } = flags
const reps = Number(flags.reps ?? (quick ? 3 : 5))
if (!Number.isInteger(reps) || reps < 1) throw new Error(`--reps ${flags.reps}: a whole number, 1 or more, is expected`)

const { folder, owm, cwd } = scene()
const began = Date.now()
/** @type {string[]} */
const missing = []
/** @type {string[]} */
const hurried = []

/** The first Python that has what the classic peer needs; Debian's own has Debian's packages. */
const pythons = [process.env.PYTHON ?? 'python3', '/usr/bin/python3']
const floorPython = pythons.find((python) => works([python, '-c', 'import sqlite3']))
const classicPython = pythons.find((python) => works([python, '-c', 'import sqlite3, redis, pydantic']))
const hasRedis = works(['redis-server', '--version'])
const hasRedisCli = works(['redis-cli', '--version'])
const needsRedis = 'no redis-server on PATH (Debian: apt-get install redis-server)'
const needsRedisCli = 'no redis-cli on PATH (Debian: apt-get install redis-tools)'
const needsPython = 'no python3 with sqlite3 (Debian: apt-get install python3)'
const needsClassic =
  'no python3 with redis and pydantic (Debian: apt-get install python3-redis python3-hiredis python3-pydantic; or PYTHON=… names another one)'

const redis = hasRedis ? await startRedis() : undefined
const toRedis = ['--sink', 'redis-stream', '--set', `sink.url=${redis?.url ?? ''}`]
let number = 0
/** A name in the temporary folder that nobody had before. */
const fresh = (/** @type {string} */ kind) => join(folder, `${++number}-${kind}`)
function remove(/** @type {string} */ outbox) {
  for (const suffix of ['', '-wal', '-shm', '-lock']) rmSync(`${outbox}${suffix}`, { force: true })
}
const simulated = (/** @type {number} */ count) => ['--source', 'simulated-db', '--set', `source.count=${count}`]

/** Runs owm; gives the seconds and what it printed. */
const run = (/** @type {readonly string[]} */ args) => timed([process.execPath, owm, ...args], { cwd })

async function emptyRedis() {
  await redis?.client.flushall('SYNC')
}

/** @param {number} count */
async function expectEntries(count) {
  const there = await redis?.client.xlen(stream)
  // Trimming is approximate: up to a node more may stay.
  if (there === undefined || there < Math.min(count, 100_000) || there > count)
    throw new Error(`${count} tasks were handed over, ${there} are in the stream`)
}

/** `owm produce` of simulated locations into an empty Redis, with an outbox that doesn't exist yet. */
async function produce(/** @type {number} */ count) {
  await emptyRedis()
  const outbox = fresh('outbox.db')
  const { seconds } = await run(['produce', ...simulated(count), ...toRedis, '--outbox', outbox])
  await expectEntries(count)
  remove(outbox)
  return seconds
}

async function classic(/** @type {number} */ count, /** @type {string[]} */ ...options) {
  await emptyRedis()
  const outbox = fresh('classic.db')
  const { seconds } = await timed([
    classicPython ?? '',
    join(root, 'bench/peers/classic.py'),
    String(count),
    outbox,
    redis?.port ?? '',
    ...options,
  ])
  await expectEntries(count)
  remove(outbox)
  return seconds
}

/** An outbox with so many pending tasks. */
async function pendingOutbox(/** @type {number} */ count) {
  const outbox = fresh(`pending-${count}.db`)
  await run([
    'produce',
    '--no-flush',
    ...simulated(count),
    '--sink',
    'jsonl',
    '--set',
    'sink.path=-',
    '--outbox',
    outbox,
  ])
  return outbox
}

/** @type {Map<number, {tasks: string, commands: string}>} */
const made = new Map()

/** owm's own tasks, a line each, and as the commands that Redis would see: the peers move the same bytes. */
async function readyMade(/** @type {number} */ count) {
  const earlier = made.get(count)
  if (earlier) return earlier
  const tasks = fresh('tasks.jsonl')
  const commands = fresh('commands.resp')
  const outbox = fresh('outbox.db')
  await run(['produce', ...simulated(count), '--sink', 'jsonl', '--set', `sink.path=${tasks}`, '--outbox', outbox])
  remove(outbox)
  const out = createWriteStream(commands)
  for await (const line of createInterface({ input: createReadStream(tasks) })) {
    const words = ['XADD', stream, 'MAXLEN', '~', '100000', '*', 'data', line]
    out.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
  }
  await finished(out.end())
  made.set(count, { tasks, commands })
  return { tasks, commands }
}

/** Copies a file down to the disk, so that its writing isn't timed with what follows. */
function copyOf(/** @type {string} */ file) {
  const copy = fresh('copy.db')
  copyFileSync(file, copy)
  const handle = openSync(copy, 'r+')
  fsyncSync(handle)
  closeSync(handle)
  return copy
}

/** BullMQ isn't a dependency: it is fetched when this row runs. */
async function installBullmq() {
  const into = join(folder, 'bullmq')
  mkdirSync(into)
  const install = ['install', '--prefix', into, '--no-audit', '--no-fund', '--ignore-scripts', 'bullmq@6', 'ioredis@5']
  // Here it may be needed: who has one often reaches the registry through a proxy.
  const env = extraCertificates === undefined ? {} : { NODE_EXTRA_CA_CERTS: extraCertificates }
  const done = await timed(['npm', ...install], { env }).catch(() => undefined)
  return done ? into : undefined
}

const big = quick ? 100_000 : 1_000_000
const medium = quick ? 40_000 : 100_000
const bulk = quick ? 20_000 : 100_000 // against the slow peers
const words = (/** @type {number} */ count) => count.toLocaleString('en')

/** @type {Group[]} */
const groups = [
  {
    name: 'start',
    reps: Math.max(reps, quick ? 5 : 15),
    async sides() {
      const whole = (/** @type {string[]} */ ...args) => ({
        label: args.join(' '),
        run: async () => (await timed([process.execPath, ...args], { cwd })).seconds,
      })
      return { node: whole('-e', '0'), version: whole(owm, '--version'), help: whole(owm, '--help') }
    },
    rows: [
      { what: '`owm --version`', a: 'version', against: '`node -e 0`', b: 'node', goal: { atMost: 3 } },
      { what: '`owm --help`', a: 'help', against: '`node -e 0`', b: 'node', goal: { atMost: 3 } },
    ],
  },
  {
    name: 'produce-16',
    reps: quick ? reps : Math.max(reps, 9),
    async sides() {
      const kept = fresh('kept.db')
      const asInCron = fresh('cron')
      mkdirSync(asInCron)
      writeFileSync(
        join(asInCron, '.owmrc.yaml'),
        `source:\n  use: simulated-db\n  count: 16\nsink:\n  use: redis-stream\n  url: ${redis?.url}\noutbox:\n  path: ${kept}\n`,
      )
      return {
        owm: { label: 'owm', run: () => produce(16), ...(redis ? {} : { missing: needsRedis }) },
        kept: {
          label: 'owm, outbox there',
          run: async () => (await timed([process.execPath, owm, 'produce'], { cwd: asInCron })).seconds,
          ...(redis ? {} : { missing: needsRedis }),
        },
        classic: {
          label: 'classic.py',
          run: () => classic(16),
          ...lack(!redis && needsRedis, !classicPython && needsClassic),
        },
      }
    },
    rows: [
      { what: '`produce` of 16', a: 'owm', against: 'classic producer', b: 'classic', goal: { atMost: 1.5 } },
      {
        what: '`produce` of 16 as in cron: outbox and .owmrc.yaml are there',
        a: 'kept',
        against: 'classic producer',
        b: 'classic',
        goal: undefined,
      },
    ],
  },
  {
    name: 'produce',
    reps,
    async sides() {
      const ready = floorPython && redis && hasRedisCli ? await readyMade(100_000) : undefined
      const floor = async () => {
        await emptyRedis()
        const outbox = fresh('floor.db')
        const { stdout } = await timed([
          floorPython ?? '',
          join(root, 'bench/peers/floor.py'),
          ready?.tasks ?? '',
          ready?.commands ?? '',
          outbox,
          redis?.port ?? '',
        ])
        await expectEntries(100_000)
        remove(outbox)
        return Number(stdout)
      }
      return {
        owm: { label: 'owm', run: () => produce(100_000), ...lack(!redis && needsRedis) },
        floor: {
          label: 'floor.py',
          run: floor,
          ...lack(!redis && needsRedis, !hasRedisCli && needsRedisCli, !floorPython && needsPython),
        },
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
  },
  {
    name: 'peers',
    reps,
    async sides() {
      const installed = redis ? await installBullmq() : undefined
      const bullmq = async () => {
        await emptyRedis()
        const { seconds } = await timed([
          process.execPath,
          join(root, 'bench/peers/bullmq.mjs'),
          installed ?? '',
          String(bulk),
          redis?.port ?? '',
        ])
        const there = await redis?.client.llen('bull:owm:wait')
        if (there !== bulk) throw new Error(`BullMQ was given ${bulk} jobs, ${there} wait`)
        return seconds
      }
      return {
        owm: { label: 'owm', run: () => produce(bulk), ...lack(!redis && needsRedis) },
        classic: {
          label: 'classic.py',
          run: () => classic(bulk),
          ...lack(!redis && needsRedis, !classicPython && needsClassic),
        },
        // For information, so not in a hurry.
        ...(quick
          ? {}
          : {
              indexed: {
                label: 'classic.py --index',
                run: () => classic(bulk, '--index'),
                ...lack(!redis && needsRedis, !classicPython && needsClassic),
              },
            }),
        bullmq: {
          label: 'BullMQ',
          run: bullmq,
          ...lack(!redis && needsRedis, !installed && 'bullmq could not be fetched (npm install bullmq@6 ioredis@5)'),
        },
      }
    },
    rows: [
      {
        what: `\`produce\` of ${words(bulk)}`,
        a: 'owm',
        against: 'classic producer',
        b: 'classic',
        goal: { timesAsFast: 15 },
      },
      {
        what: `\`produce\` of ${words(bulk)}`,
        a: 'owm',
        against: 'classic producer with an index',
        b: 'indexed',
        goal: undefined,
      },
      {
        what: `\`produce\` of ${words(bulk)}`,
        a: 'owm',
        against: 'BullMQ `addBulk` of 500, no outbox',
        b: 'bullmq',
        goal: { timesAsFast: 1 },
      },
    ],
  },
  {
    name: 'flush',
    reps,
    async sides() {
      const pending = redis ? await pendingOutbox(100_000) : ''
      const ready = redis && hasRedisCli ? await readyMade(100_000) : undefined
      const flush = async () => {
        await emptyRedis()
        const outbox = copyOf(pending)
        const { seconds } = await run(['flush', ...toRedis, '--outbox', outbox])
        await expectEntries(100_000)
        remove(outbox)
        return seconds
      }
      const pipe = async () => {
        await emptyRedis()
        const { seconds } = await timed(['redis-cli', '-p', redis?.port ?? '', '--pipe'], {
          stdin: ready?.commands ?? '',
        })
        await expectEntries(100_000)
        return seconds
      }
      return {
        owm: { label: 'owm flush', run: flush, ...lack(!redis && needsRedis) },
        pipe: { label: 'redis-cli --pipe', run: pipe, ...lack(!redis && needsRedis, !hasRedisCli && needsRedisCli) },
      }
    },
    rows: [
      {
        what: '`flush` of 100,000 pending',
        a: 'owm',
        against: '`redis-cli --pipe` of the same XADDs',
        b: 'pipe',
        goal: { atMost: 2 },
      },
    ],
  },
  {
    name: 'inspect',
    reps: quick ? reps : Math.max(reps, 9),
    async sides() {
      const look = (/** @type {string} */ outbox) => async () =>
        (await run(['outbox', 'inspect', '--outbox', outbox])).seconds
      const [small, large] = [await pendingOutbox(1_000), await pendingOutbox(big)]
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
  },
  {
    name: 'linear',
    reps,
    // As in the steady state: the stream is full already, a consumer group keeps up, so owm trims with every batch.
    async sides() {
      if (!redis) return { small: { label: '', run: async () => 0, missing: needsRedis } }
      const list = fresh('list.csv')
      await csvOf(big, list)
      await emptyRedis()
      keepUp = await readAlong(redis.client, stream)
      await timed(
        [process.execPath, owm, 'produce', ...simulated(110_000), ...toRedis, '--outbox', fresh('filler.db')],
        { cwd },
      )
      const full = (/** @type {readonly string[]} */ source) => async () => {
        const outbox = fresh('outbox.db')
        const { seconds } = await run(['produce', ...source, ...toRedis, '--outbox', outbox])
        remove(outbox)
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
  },
  {
    name: 'memory',
    reps,
    cold: true,
    async sides() {
      const peak = (/** @type {number} */ count) => async () => {
        const [outbox, tasks, report] = [fresh('outbox.db'), fresh('tasks.jsonl'), fresh('peak')]
        const args = [
          'produce',
          ...simulated(count),
          '--sink',
          'jsonl',
          '--set',
          `sink.path=${tasks}`,
          '--outbox',
          outbox,
        ]
        const { seconds } = await timed([process.execPath, '--import', join(root, 'bench/usage.mjs'), owm, ...args], {
          cwd,
          env: { OWM_BENCH_PEAK: report },
        })
        say(
          `  ${words(count)} through jsonl: ${seconds.toFixed(1)} s, files ${Math.round((statSync(tasks).size + statSync(outbox).size) / MiB)} MiB`,
        )
        remove(outbox)
        rmSync(tasks)
        return Number(readFileSync(report, 'utf8'))
      }
      const sizes = quick ? [50_000, 150_000] : [100_000, 1_000_000, 10_000_000]
      return Object.fromEntries(sizes.map((count) => [String(count), { label: words(count), run: peak(count) }]))
    },
    rows: quick
      ? [
          {
            what: 'peak memory, 150,000 through jsonl',
            a: '150000',
            against: 'that of 50,000',
            b: '50000',
            goal: { atMost: 1.25 },
          },
          {
            what: 'peak memory, 150,000 through jsonl',
            a: '150000',
            against: '200 MiB',
            b: '',
            goal: { bytes: 200 * MiB },
          },
        ]
      : [
          {
            what: 'peak memory, 1,000,000 through jsonl',
            a: '1000000',
            against: 'that of 100,000',
            b: '100000',
            goal: { atMost: 1.25 },
          },
          {
            what: 'peak memory, 10,000,000 through jsonl',
            a: '10000000',
            against: 'that of 100,000',
            b: '100000',
            goal: undefined,
          },
          {
            what: 'peak memory, 10,000,000 through jsonl',
            a: '10000000',
            against: '200 MiB',
            b: '',
            goal: { bytes: 200 * MiB },
          },
        ],
  },
]

/** @type {(() => Promise<void>) | undefined} */
let keepUp

/** The simulated database's own places as a list, by way of owm's tasks. */
async function csvOf(/** @type {number} */ count, /** @type {string} */ file) {
  const { tasks } = await readyMade(count)
  const out = createWriteStream(file)
  out.write('id,latitude,longitude,city,state\n')
  for await (const line of createInterface({ input: createReadStream(tasks) })) {
    const { location_id, latitude_deg, longitude_deg, city, state } = JSON.parse(line)
    if (!out.write(`${location_id},${latitude_deg},${longitude_deg},${city},${state}\n`))
      await new Promise((resolve) => out.once('drain', resolve))
  }
  await finished(out.end())
}

/** @param {(string | false)[]} reasons */
function lack(...reasons) {
  const reason = reasons.find((one) => one)
  return reason ? { missing: reason } : {}
}

function say(/** @type {string} */ text) {
  process.stderr.write(`bench: ${text}\n`)
}

const median = (/** @type {number[]} */ values) => {
  const sorted = values.toSorted((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2
}

/** @param {number[]} values @param {boolean} bytes */
function shown(values, bytes) {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (bytes) return `${Math.round(median(values) / MiB)} MiB (${Math.round(least / MiB)}..${Math.round(most / MiB)})`
  const digits = median(values) < 10 ? 2 : 1
  return `${median(values).toFixed(digits)} s (${least.toFixed(digits)}..${most.toFixed(digits)})`
}

/**
 * @param {Row} row
 * @param {Map<string, number[]>} results
 * @param {boolean} bytes
 */
function judged(row, results, bytes) {
  const a = results.get(row.a)
  const b = results.get(row.b)
  if (!a || (!b && row.b !== '')) return undefined
  const ofA = shown(a, bytes)
  if (row.goal && 'bytes' in row.goal)
    return [
      row.what,
      row.against,
      ofA,
      '',
      (median(a) / row.goal.bytes).toFixed(2),
      'at most 1',
      median(a) <= row.goal.bytes ? 'met' : '**not met**',
    ]
  const ratio = median(a) / median(b ?? []) / (row.scale ?? 1)
  // What else runs on the machine only ever adds: the best of each side says how much of the ratio is noise.
  const best = Math.min(...a) / Math.min(...(b ?? [])) / (row.scale ?? 1)
  const ofB = shown(b ?? [], bytes)
  if (!row.goal) return [row.what, row.against, ofA, ofB, `${ratio.toFixed(2)} (${best.toFixed(2)})`, '', '']
  if ('timesAsFast' in row.goal) {
    const goal = row.goal.timesAsFast === 1 ? 'faster' : `at least ${row.goal.timesAsFast}x as fast`
    const met = row.goal.timesAsFast === 1 ? ratio < 1 : 1 / ratio >= row.goal.timesAsFast
    return [
      row.what,
      row.against,
      ofA,
      ofB,
      `${(1 / ratio).toFixed(1)}x as fast (${(1 / best).toFixed(1)})`,
      goal,
      met ? 'met' : '**not met**',
    ]
  }
  return [
    row.what,
    row.against,
    ofA,
    ofB,
    `${ratio.toFixed(2)} (${best.toFixed(2)})`,
    `at most ${row.goal.atMost}`,
    ratio <= row.goal.atMost ? 'met' : '**not met**',
  ]
}

/** @param {Group} group @returns {Promise<string[][]>} */
async function measured(group) {
  // On a busy machine --quick keeps its word by repeating less, and says where.
  const late = quick && flags.reps === undefined && Date.now() - began > 45_000
  if (late) hurried.push(group.name)
  const times = late ? 1 : group.reps
  say(`${group.name} …`)
  const sides = Object.entries(await group.sides())
  const able = sides.filter(([, side]) => side.missing === undefined)
  for (const [, side] of sides)
    if (side.missing !== undefined) missing.push(`${group.name}, ${side.label}: ${side.missing}`)
  /** @type {Map<string, number[]>} */
  const results = new Map(able.map(([key]) => [key, []]))
  for (let turn = group.cold || late ? 1 : 0; turn <= times; turn++) {
    // Every second turn the other way round: nobody always comes after the same neighbour.
    for (const [key, side] of turn % 2 === 0 ? able : able.toReversed()) {
      const value = await side.run()
      if (turn > 0) results.get(key)?.push(value)
    }
  }
  await group.after?.()
  const rows = group.rows.map((row) => judged(row, results, group.name === 'memory')).filter((row) => row !== undefined)
  for (const row of rows) say(`  ${row.join(' | ')}`)
  return rows
}

/** @param {string[][]} rows @param {string} title */
function markdown(rows, title) {
  const head = ['what', 'against', 'owm', 'the other', 'ratio (of the best)', 'goal', '']
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`
  return `${title}\n\n${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}

try {
  const names = groups.map((group) => group.name)
  const unknown = flags.only.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(' ')}: there are ${names.join(', ')}`)
  const load = loadavg()[0] ?? 0
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}${redis ? `, Redis ${redis.version}` : ''}`
  say(
    `${machine}; load ${load.toFixed(1)}${quick ? '; QUICK: fewer repetitions and smaller sizes than the goals name' : ''}`,
  )
  /** @type {string[][]} */
  const rows = []
  for (const group of groups)
    if (flags.only.length === 0 || flags.only.includes(group.name)) rows.push(...(await measured(group)))
  const command = [
    'npm run bench',
    ...(process.argv.length > 2
      ? [
          '--',
          ...process.argv.slice(2).filter((word, at, all) => word !== '--markdown' && all[at - 1] !== '--markdown'),
        ]
      : []),
  ]
  const title = [
    `\`${command.join(' ').replace(/ --$/, '')}\` on ${new Date().toISOString().slice(0, 10)}: ${machine}.`,
    `Medians of ${reps} or more (least..most)${hurried.length > 0 ? ', but for the ones named below' : ''}, whole processes, sides taking turns; load ${load.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after, ${Math.round((Date.now() - began) / 1000)} s in all.`,
    ...(quick ? ['Quick: fewer repetitions and smaller sizes than the goals name.'] : []),
    ...(hurried.length > 0
      ? [`The machine was slow: only one repetition, and no warm-up, for ${hurried.join(', ')}.`]
      : []),
    ...(extraCertificates === undefined
      ? []
      : ['NODE_EXTRA_CA_CERTS, which is set here, was not: it costs each start of Node some 40 ms.']),
    ...missing.map((one) => `Not run: ${one}.`),
  ].join('\n')
  const text = markdown(rows, title)
  process.stdout.write(text)
  if (flags.markdown) writeFileSync(flags.markdown, text)
} finally {
  await redis?.stop()
  clear()
}
