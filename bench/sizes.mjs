/**
 * `node bench/sizes.mjs [COUNT]`: what one task costs in bytes and in CPU, at each station, for docs/scale.md.
 * `node bench/sizes.mjs --suspects`: how many of N different tasks the duplicate filter can't tell apart at once.
 *
 * COUNT (200,000) simulated locations: stored, then handed over to a Redis of
 * our own that holds them all; then two producers at once, each with an outbox
 * and a stream of its own.
 */

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { clear, root, scene, startRedis, timed } from './scene.mjs'

if (process.argv[2] === '--suspects') {
  await suspects()
  process.exit()
}

const count = Number(process.argv[2] ?? 200_000)
const few = 1_000
const { folder, owm, cwd } = scene()
const redis = await startRedis()
const report = join(folder, 'usage.json')
const words = (/** @type {number} */ value) => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'))

/** @param {string} what @param {number} value @param {string} unit */
const print = (what, value, unit) => process.stdout.write(`${what.padEnd(62)} ${words(value).padStart(10)} ${unit}\n`)

/** @param {string} command @param {string} name @param {number} tasks @param {number} [copy] @param {number} [maxLength] @param {string} [of] name of the outbox, where it is another one's */
async function run(command, name, tasks, copy = 0, maxLength = 100_000_000, of = name) {
  const outbox = join(folder, `${of}-${tasks}-${copy}.db`)
  const usage = `${report}-${name}-${copy}`
  const sink = [
    '--sink',
    'redis-stream',
    '--set',
    `sink.url=${redis.url}`,
    '--set',
    `sink.stream=${name}-${copy}`,
    '--set',
    `sink.maxLength=${maxLength}`,
  ]
  const source = ['--source', 'simulated-db', '--set', `source.count=${tasks}`]
  const preload = ['--import', join(root, 'bench/usage.mjs')]
  const { seconds } = await timed(
    [process.execPath, ...preload, owm, ...command.split(' '), ...source, ...sink, '--outbox', outbox],
    {
      cwd,
      env: { OWM_BENCH_USAGE: usage },
    },
  )
  return { outbox, seconds, cpu: Number(readFileSync(usage, 'utf8')) }
}

/** Redis' counters. */
async function counters() {
  const info = await redis.client.info('all')
  const number = (/** @type {string} */ name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return {
    bytesIn: number('total_net_input_bytes'),
    memory: number('used_memory'),
    cpu: number('used_cpu_user') + number('used_cpu_sys'),
    commands: Object.fromEntries(
      Array.from(info.matchAll(/^cmdstat_(\S+?):calls=(\d+),usec=(\d+)/gm), ([, name = '', calls, usec]) => [
        name,
        { calls: Number(calls), usec: Number(usec) },
      ]),
    ),
  }
}

try {
  process.stdout.write(
    `${count.toLocaleString('en')} tasks; ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.versions.node}, Redis ${redis.version}\n`,
  )
  await run('produce', 'warm', few)
  await redis.client.flushall('SYNC')

  const start = await run('produce --no-flush', 'start', few)
  const stored = await run('produce --no-flush', 'sized', count)
  print('outbox: bytes of the file, a pending task', statSync(stored.outbox).size / count, 'B')
  const lines = join(folder, 'one.jsonl')
  writeFileSync(lines, '')
  await timed(
    [
      process.execPath,
      owm,
      'produce',
      '--source',
      'simulated-db',
      '--set',
      `source.count=${few}`,
      '--sink',
      'jsonl',
      '--set',
      `sink.path=${lines}`,
      '--outbox',
      join(folder, 'jsonl.db'),
    ],
    { cwd },
  )
  print('task: bytes of its JSON', statSync(lines).size / few - 1, 'B')
  print('store: CPU of the producer, a task', ((stored.cpu - start.cpu) / (count - few)) * 1e6, 'us')

  const before = await counters()
  await run('flush', 'sized', count)
  const after = await counters()
  print('wire: bytes into Redis, a task', (after.bytesIn - before.bytesIn) / count, 'B')
  print('Redis: bytes of memory, a task (INFO used_memory)', (after.memory - before.memory) / count, 'B')
  print(
    'Redis: bytes of memory, a task (MEMORY USAGE of the stream)',
    Number(await redis.client.memory('USAGE', 'sized-0', 'SAMPLES', 0)) / count,
    'B',
  )
  print('Redis: CPU of the process, a task', ((after.cpu - before.cpu) / count) * 1e6, 'us')
  for (const name of ['eval', 'evalsha', 'xadd']) {
    const usec = (after.commands[name]?.usec ?? 0) - (before.commands[name]?.usec ?? 0)
    if (usec > 0) print(`Redis: ${name}, a task (INFO commandstats)`, usec / count, 'us')
  }

  // As a worker does: 500 entries at a time, then their acknowledgement.
  const full = await counters()
  await redis.client.xgroup('CREATE', 'sized-0', 'workers', '0')
  for (;;) {
    const [[, entries] = []] = /** @type {[string, [string, string[]][]][]} */ (
      (await redis.client.xreadgroup('GROUP', 'workers', 'one', 'COUNT', 500, 'STREAMS', 'sized-0', '>')) ?? []
    )
    if (!entries) break
    await redis.client.xack('sized-0', 'workers', ...entries.map(([id]) => id))
  }
  const read = await counters()
  print('Redis: CPU of the process for reading and XACK, a task', ((read.cpu - full.cpu) / count) * 1e6, 'us')

  // The same again into the stream that is at its bound now, and read: for each new entry an old one goes.
  await run('produce', 'sized', count, 0, count, 'again')
  const again = await counters()
  print('Redis: CPU of the process, adding to a full stream, a task', ((again.cpu - read.cpu) / count) * 1e6, 'us')
  print(
    'Redis: eval, adding to a full stream, a task',
    ((again.commands['eval']?.usec ?? 0) - (read.commands['eval']?.usec ?? 0)) / count,
    'us',
  )

  await redis.client.flushall('SYNC')
  const small = await run('produce', 'small', few)
  const one = await run('produce', 'single', count)
  print('one producer: tasks a second, its start included', count / one.seconds, '/s')
  print('one producer: tasks a second, its start taken off', (count - few) / (one.seconds - small.seconds), '/s')
  print('one producer: CPU, a task', ((one.cpu - small.cpu) / (count - few)) * 1e6, 'us')
  await redis.client.flushall('SYNC')
  const both = await Promise.all([run('produce', 'pair', count, 1), run('produce', 'pair', count, 2)])
  print(
    'two producers at once: tasks a second of both',
    (2 * count) / Math.max(...both.map((each) => each.seconds)),
    '/s',
  )
} finally {
  await redis.stop()
  clear()
}

async function suspects() {
  const { SeenIds } = await tsImport('../src/tasks/seen.ts', import.meta.url)
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
