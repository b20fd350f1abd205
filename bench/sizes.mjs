/**
 * `node bench/sizes.mjs [COUNT]`: what one task costs in bytes and in CPU, at each station, for docs/scale.md.
 * `node bench/sizes.mjs --suspects`: how many of N different tasks the duplicate filter can't tell apart at once.
 *
 * COUNT (200,000) simulated locations: stored, then delivered to a Redis of
 * our own that holds them all; then two producers at once, each with an outbox
 * and a stream of its own.
 */

import { readFileSync, statSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { clear, root } from './scene.mjs'
import { csvOf, folder, fresh, run as owm, redis, simulated, toFile, toRedis } from './work.mjs'

const [first = '200000'] = process.argv.slice(2)
const count = Number(first)
const few = 1_000
const words = (/** @type {number} */ value) => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'))

/** @param {string} what @param {number} value @param {string} unit */
const print = (what, value, unit) => process.stdout.write(`${what.padEnd(62)} ${words(value).padStart(10)} ${unit}\n`)

try {
  if (!redis) throw new Error('no redis-server on PATH (Debian: apt-get install redis-server)')
  if (first === '--suspects') await suspects()
  else await sizes(redis.client)
} finally {
  await redis?.stop()
  clear()
}

/**
 * Runs owm into a stream of this name.
 *
 * @param {string} command
 * @param {string} name of the outbox and, with the copy's number, of the stream
 * @param {number} tasks
 * @param {{copy?: number, maxLength?: number, outboxOf?: string}} [options] outboxOf: the outbox is another name's
 */
async function run(command, name, tasks, { copy = 0, maxLength = 100_000_000, outboxOf = name } = {}) {
  const outbox = join(folder, `${outboxOf}-${tasks}-${copy}.db`)
  const usage = join(folder, `usage-${name}-${copy}`)
  const sink = [...toRedis, '--set', `sink.stream=${name}-${copy}`, '--set', `sink.maxLength=${maxLength}`]
  const { seconds } = await owm([...command.split(' '), ...simulated(tasks), ...sink, '--outbox', outbox], {
    before: ['--import', join(root, 'bench/usage.mjs')],
    env: { OWM_BENCH_USAGE: usage },
  })
  return { outbox, seconds, cpu: Number(readFileSync(usage, 'utf8')) }
}

/** Redis' counters. @param {import('ioredis').Redis} client */
async function counters(client) {
  const info = await client.info('all')
  const number = (/** @type {string} */ name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  const commands = info.matchAll(/^cmdstat_(\S+?):calls=\d+,usec=(\d+)/gm)
  return {
    bytesIn: number('total_net_input_bytes'),
    memory: number('used_memory'),
    cpu: number('used_cpu_user') + number('used_cpu_sys'),
    /** @type {Record<string, number>} microseconds, by command */
    spent: Object.fromEntries(Array.from(commands, ([, name, usec]) => [name, Number(usec)])),
  }
}

/** @param {import('ioredis').Redis} client */
async function sizes(client) {
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.versions.node}`
  process.stdout.write(`${count.toLocaleString('en')} tasks; ${machine}, Redis ${redis?.version}\n`)
  const each = (/** @type {number} */ seconds) => (seconds / count) * 1e6
  const beyondStart = (/** @type {number} */ seconds) => (seconds / (count - few)) * 1e6
  await run('produce', 'warm', few)
  await client.flushall('SYNC')

  const start = await run('produce --no-flush', 'start', few)
  const stored = await run('produce --no-flush', 'sized', count)
  print('outbox: bytes of the file, a pending task', statSync(stored.outbox).size / count, 'B')
  const lines = join(folder, 'one.jsonl')
  await owm(['produce', ...simulated(few), ...toFile(lines), '--outbox', join(folder, 'jsonl.db')])
  print('task: bytes of its JSON', statSync(lines).size / few - 1, 'B')
  print('store: CPU of the producer, a task', beyondStart(stored.cpu - start.cpu), 'us')

  const before = await counters(client)
  await run('flush', 'sized', count)
  const after = await counters(client)
  print('wire: bytes into Redis, a task', (after.bytesIn - before.bytesIn) / count, 'B')
  print('Redis: bytes of memory, a task (INFO used_memory)', (after.memory - before.memory) / count, 'B')
  const usage = Number(await client.memory('USAGE', 'sized-0', 'SAMPLES', 0))
  print('Redis: bytes of memory, a task (MEMORY USAGE of the stream)', usage / count, 'B')
  print('Redis: CPU of the process, a task', each(after.cpu - before.cpu), 'us')
  for (const name of ['eval', 'evalsha', 'xadd']) {
    const spent = (after.spent[name] ?? 0) - (before.spent[name] ?? 0)
    if (spent > 0) print(`Redis: ${name}, a task (INFO commandstats)`, spent / count, 'us')
  }

  const full = await counters(client)
  await readAll(client)
  const read = await counters(client)
  print('Redis: CPU of the process for reading and XACK, a task', each(read.cpu - full.cpu), 'us')

  // The same again into the stream that is at its bound now, and read: for each new entry an old one goes.
  await run('produce', 'sized', count, { maxLength: count, outboxOf: 'again' })
  const again = await counters(client)
  print('Redis: CPU of the process, adding to a full stream, a task', each(again.cpu - read.cpu), 'us')
  const scripts = (/** @type {Record<string, number>} */ spent) => (spent.eval ?? 0) + (spent.evalsha ?? 0)
  print(
    'Redis: the script, adding to a full stream, a task',
    (scripts(again.spent) - scripts(read.spent)) / count,
    'us',
  )

  // What a share costs beside its own tasks: rows of the list that are another's.
  const list = await csvOf(count)
  const share = await shareOf(list, 1_000)
  const none = await shareOf(await csvOf(few), 1_000)
  print('list: CPU of the producer for a row of CSV of another share', beyondStart(share - none), 'us')

  await client.flushall('SYNC')
  const small = await run('produce', 'small', few)
  const one = await run('produce', 'single', count)
  print('one producer: tasks a second, its start included', count / one.seconds, '/s')
  print('one producer: tasks a second, its start taken off', (count - few) / (one.seconds - small.seconds), '/s')
  print('one producer: CPU, a task', beyondStart(one.cpu - small.cpu), 'us')
  await client.flushall('SYNC')
  const both = await Promise.all([1, 2].map((copy) => run('produce', 'pair', count, { copy })))
  const longest = Math.max(...both.map(({ seconds }) => seconds))
  print('two producers at once: tasks a second of both', (2 * count) / longest, '/s')
}

/** CPU seconds of a `produce` that keeps the first of so many shares of a list. @param {string} list */
async function shareOf(list, /** @type {number} */ shares) {
  const usage = join(folder, 'usage-share')
  const source = ['--source', 'static-list', '--set', `source.file=${list}`, '--shard', `0/${shares}`]
  const outbox = ['--outbox', fresh('share.db')]
  await owm(['produce', ...source, ...toFile(fresh('share.jsonl')), ...outbox, '--set', 'source.minLocations=0'], {
    before: ['--import', join(root, 'bench/usage.mjs')],
    env: { OWM_BENCH_USAGE: usage },
  })
  return Number(readFileSync(usage, 'utf8'))
}

/** As a worker does: 500 entries at a time, then their acknowledgement. @param {import('ioredis').Redis} client */
async function readAll(client) {
  await client.xgroup('CREATE', 'sized-0', 'workers', '0')
  for (;;) {
    const [[, entries] = []] = /** @type {[string, [string, string[]][]][]} */ (
      (await client.xreadgroup('GROUP', 'workers', 'one', 'COUNT', 500, 'STREAMS', 'sized-0', '>')) ?? []
    )
    if (!entries) return
    await client.xack('sized-0', 'workers', ...entries.map(([id]) => id))
  }
}

async function suspects() {
  const { SeenIds } = await tsImport('../src/tasks/ids/seen.ts', import.meta.url)
  const seen = new SeenIds()
  let maybe = 0
  for (let at = 1; at <= 40_000_000; at++) {
    // Evenly spread digits, as a UUIDv5 has them; only two parts of it are looked at.
    const random = () =>
      Math.floor(Math.random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0')
    if (seen.add(`${random()}000050008000${random()}${random().slice(0, 4)}`)) maybe++
    if ([1_000_000, 10_000_000, 20_000_000, 40_000_000].includes(at))
      process.stdout.write(
        `${at.toLocaleString('en').padStart(12)} locations: ${maybe.toLocaleString('en')} suspects\n`,
      )
  }
}
