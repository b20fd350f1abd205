/** What the sides of a benchmark do: each makes what it needs, then gives the seconds of whole processes. */
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
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { extraCertificates, root, scene, startRedis, timed, works } from './scene.mjs'

export const { folder, owm, cwd } = scene()
export const stream = 'owm-ingestion-stream'
const streamBound = 100_000

/** The first Python that has what the classic peer needs; Debian's own has Debian's packages. */
const pythons = [process.env.PYTHON ?? 'python3', '/usr/bin/python3']
const floorPython = pythons.find((python) => works([python, '-c', 'import sqlite3'])) ?? ''
const classicPython = pythons.find((python) => works([python, '-c', 'import sqlite3, redis, pydantic'])) ?? ''

/** What a side lacks on this machine, or undefined. */
export const lacks = {
  redis: works(['redis-server', '--version'])
    ? undefined
    : 'no redis-server on PATH (Debian: apt-get install redis-server)',
  redisCli: works(['redis-cli', '--version'])
    ? undefined
    : 'no redis-cli on PATH (Debian: apt-get install redis-tools)',
  python: floorPython ? undefined : 'no python3 with sqlite3 (Debian: apt-get install python3)',
  classic: classicPython
    ? undefined
    : 'no python3 with redis and pydantic (Debian: apt-get install python3-redis python3-hiredis python3-pydantic; ' +
      'or PYTHON=… names another one)',
}

export const redis = lacks.redis === undefined ? await startRedis() : undefined
export const toRedis = ['--sink', 'redis-stream', '--set', `sink.url=${redis?.url ?? ''}`]
export const toFile = (/** @type {string} */ file) => ['--sink', 'jsonl', '--set', `sink.path=${file}`]
export const simulated = (/** @type {number} */ count) => ['--source', 'simulated-db', '--set', `source.count=${count}`]

let number = 0
/** A name in the temporary folder that nobody had before. */
export const fresh = (/** @type {string} */ kind) => join(folder, `${++number}-${kind}`)

export function remove(/** @type {string} */ outbox) {
  for (const suffix of ['', '-wal', '-shm', '-lock']) rmSync(`${outbox}${suffix}`, { force: true })
}

/**
 * Runs owm; gives the seconds and what it printed. Node keeps compiled code in the HOME that it is given.
 *
 * @param {readonly string[]} args
 * @param {{cwd?: string, node?: string, before?: readonly string[], env?: Record<string, string>}} [options]
 *   node: another Node; before: Node's own arguments
 */
export const run = (args, options = {}) =>
  timed([options.node ?? process.execPath, ...(options.before ?? []), owm, ...args], {
    cwd: options.cwd ?? cwd,
    env: { HOME: folder, ...options.env },
  })

export async function emptyRedis() {
  await redis?.client.flushall('SYNC')
}

/** @param {number} count */
async function expectEntries(count) {
  const there = await redis?.client.xlen(stream)
  // Trimming is approximate: up to a node more may stay.
  if (there === undefined || there < Math.min(count, streamBound) || there > count)
    throw new Error(`${count} tasks were delivered, ${there} are in the stream`)
}

/** `owm produce` of simulated locations into an empty Redis, with an outbox that doesn't exist yet. */
export async function produce(/** @type {number} */ count, node = process.execPath) {
  await emptyRedis()
  const outbox = fresh('outbox.db')
  const { seconds } = await run(['produce', ...simulated(count), ...toRedis, '--outbox', outbox], { node })
  await expectEntries(count)
  remove(outbox)
  return seconds
}

/** `owm produce` in a folder with its configuration and an outbox `o.db`, into an empty Redis. */
export async function produceIn(/** @type {string} */ where, /** @type {number} */ count) {
  await emptyRedis()
  const { seconds } = await run(['produce', '--log-level', 'info'], { cwd: where })
  await expectEntries(count)
  remove(join(where, 'o.db'))
  return seconds
}

/** The classic producer's command. */
export const classically = (/** @type {number} */ count, /** @type {string} */ outbox) => [
  classicPython,
  join(root, 'bench/peers/classic.py'),
  ...[String(count), outbox, redis?.port ?? ''],
]

export async function classic(/** @type {number} */ count, /** @type {string[]} */ ...options) {
  await emptyRedis()
  const outbox = fresh('classic.db')
  const { seconds } = await timed([...classically(count, outbox), ...options])
  await expectEntries(count)
  remove(outbox)
  return seconds
}

/** SQLite and `redis-cli --pipe` alone, by its own clock. */
export async function floor(/** @type {number} */ count) {
  const { tasks, commands } = await readyMade(count)
  await emptyRedis()
  const outbox = fresh('floor.db')
  const program = join(root, 'bench/peers/floor.py')
  const { stdout } = await timed([floorPython, program, tasks, commands, outbox, redis?.port ?? ''])
  await expectEntries(count)
  remove(outbox)
  return Number(stdout)
}

/** `owm flush` of a copy of this outbox. */
export async function flush(/** @type {number} */ count, /** @type {string} */ pending) {
  await emptyRedis()
  const outbox = copyOf(pending)
  const { seconds } = await run(['flush', ...toRedis, '--outbox', outbox])
  await expectEntries(count)
  remove(outbox)
  return seconds
}

export async function pipe(/** @type {number} */ count) {
  const { commands } = await readyMade(count)
  await emptyRedis()
  const { seconds } = await timed(['redis-cli', '-p', redis?.port ?? '', '--pipe'], { stdin: commands })
  await expectEntries(count)
  return seconds
}

/** An outbox with so many pending tasks. @param {number} count @param {readonly string[]} more arguments */
export async function pendingOutbox(count, more = []) {
  const outbox = fresh(`pending-${count}.db`)
  await run(['produce', '--no-flush', ...simulated(count), ...toFile('-'), '--outbox', outbox, ...more])
  return outbox
}

/** @type {Map<number, {tasks: string, commands: string}>} */
const made = new Map()

/** owm's own tasks, a line each, and as the commands that Redis would see: the peers move the same bytes. */
export async function readyMade(/** @type {number} */ count) {
  const earlier = made.get(count)
  if (earlier) return earlier
  const tasks = fresh('tasks.jsonl')
  const commands = fresh('commands.resp')
  const outbox = fresh('outbox.db')
  await run(['produce', ...simulated(count), ...toFile(tasks), '--outbox', outbox])
  remove(outbox)
  const out = createWriteStream(commands)
  for await (const line of createInterface({ input: createReadStream(tasks) })) {
    const words = ['XADD', stream, 'MAXLEN', '~', String(streamBound), '*', 'data', line]
    out.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
  }
  await finished(out.end())
  made.set(count, { tasks, commands })
  return { tasks, commands }
}

/**
 * The simulated database's own places as a list, by way of owm's tasks.
 *
 * @param {number} count
 * @param {readonly string[]} cadences in turn, in a column `every`; without any there is no such column
 */
export async function csvOf(count, cadences = []) {
  const { tasks } = await readyMade(count)
  const file = fresh('list.csv')
  const out = createWriteStream(file)
  const cells = (/** @type {readonly unknown[]} */ own, /** @type {string | undefined} */ every) =>
    `${[...own, ...(every === undefined ? [] : [every])].join(',')}\n`
  out.write(cells(['id', 'latitude', 'longitude', 'city', 'state'], cadences[0] && 'every'))
  let at = 0
  for await (const line of createInterface({ input: createReadStream(tasks) })) {
    const every = cadences[at++ % cadences.length]
    const { location_id, latitude_deg, longitude_deg, city, state } = JSON.parse(line)
    if (!out.write(cells([location_id, latitude_deg, longitude_deg, city, state], every)))
      await new Promise((resolve) => out.once('drain', resolve))
  }
  await finished(out.end())
  return file
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

/** The most memory that a `produce` through jsonl had, in bytes, and what it left on the disk. */
export async function peak(/** @type {number} */ count) {
  const [outbox, tasks, report] = [fresh('outbox.db'), fresh('tasks.jsonl'), fresh('peak')]
  await run(['produce', ...simulated(count), ...toFile(tasks), '--outbox', outbox], {
    before: ['--import', join(root, 'bench/usage.mjs')],
    env: { OWM_BENCH_PEAK: report },
  })
  const onDisk = statSync(tasks).size + statSync(outbox).size
  remove(outbox)
  rmSync(tasks)
  return { bytes: Number(readFileSync(report, 'utf8')), onDisk }
}

/** BullMQ's command. @param {number} count @param {string} installed folder */
export const queueing = (count, installed) => [
  process.execPath,
  join(root, 'bench/peers/bullmq.mjs'),
  ...[installed, String(count), redis?.port ?? ''],
]

export async function bullmq(/** @type {number} */ count, /** @type {string} */ installed) {
  await emptyRedis()
  const { seconds } = await timed(queueing(count, installed))
  const there = await redis?.client.llen('bull:owm:wait')
  if (there !== count) throw new Error(`BullMQ was given ${count} jobs, ${there} wait`)
  return seconds
}

/** Fetches what is no dependency of owm; gives its folder, or undefined where it can't be had. */
export async function fetched(/** @type {string} */ name, /** @type {string[]} */ ...packages) {
  const into = join(folder, name)
  mkdirSync(into)
  // Who has certificates of his own often reaches the registry through a proxy.
  const env = extraCertificates === undefined ? {} : { NODE_EXTRA_CA_CERTS: extraCertificates }
  const flags = ['--prefix', into, '--no-audit', '--no-fund']
  return timed(['npm', 'install', ...flags, ...packages], { env }).then(
    () => into,
    () => undefined,
  )
}
