import { execFile } from 'node:child_process'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bin, folderWith, owm, owmJson, root, startOwm, until } from '../support/cli.js'
import { isRoot } from '../support/conditions.js'

interface Inspected {
  path: string
  totals: { pending: number; dead: number; rejected: number }
  oldestPendingAt: string | null
  runs: {
    runId: string
    slot: string
    state: string
    read: number
    rejected: number
    duplicates: number
    persisted: number
    delivered: number
    dead: number
    startedAt: string
    finishedAt: string | null
  }[]
  tasks: {
    seq: number | null
    runId: string
    state: string
    attempts: number
    lastError: string | null
    createdAt: string
    task: { city: string } | null
  }[]
}

const slots = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z'] as const
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const place = (city: string, latitude = 1): object => ({ city, latitude, longitude: 2 })
const list = (...locations: object[]): object => ({ use: 'static-list', locations })
const base = {
  source: list(place('Lagos'), place('Łódź', 3)),
  sink: { use: 'jsonl', path: 'tasks.jsonl' },
  outbox: { path: 'o.db' },
  retry: { attempts: 1 },
}
const deadSink = { use: 'redis-stream', url: 'redis://127.0.0.1:1' }

/** A sink that finally refuses tasks with "Bad" in them. */
const picky = `
  const options = { safeParse: (data) => ({ success: true, data }) }
  const outcome = (task) => (task.includes('Bad') ? { refused: 'too bad' } : 'delivered')
  const open = () => ({ guarantee: 'at-least-once', deliver: async ({ tasks }) => tasks.map(outcome) })
  export default { kind: 'sink', name: 'picky', description: '', options, open }`

async function inspect(cwd: string, ...args: string[]): Promise<Inspected> {
  const { code, stderr, json } = await owmJson<Inspected>(['outbox', 'inspect', ...args], { cwd })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return json
}

/** An outbox with a delivered, a dead, a rejected and, of a later run, pending tasks. */
async function eventful(): Promise<string> {
  const cwd = await folderWith({
    ...base,
    sink: { use: './picky.mjs' },
    source: list(place('Lagos'), place('Bad Ischl'), place('Nowhere', 99), place('Lagos')),
  })
  await writeFile(join(cwd, 'picky.mjs'), picky)
  expect((await owm(['produce', '--slot', slots[0]], { cwd })).code).toBe(75)
  const elsewhere = ['--sink', 'redis-stream', '--set', 'sink.url=redis://127.0.0.1:1', '--outbox', 'o.db']
  expect((await owm(['produce', '--slot', slots[1], ...elsewhere], { cwd })).code).toBe(75)
  return cwd
}

describe('nothing there yet', () => {
  it('a missing outbox: says so, makes none', async () => {
    const cwd = await folderWith(base)
    const { code, stdout, stderr } = await owm(['outbox', 'inspect'], { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(join(cwd, 'o.db'))
    expect(await inspect(cwd)).toMatchObject({
      path: join(cwd, 'o.db'),
      totals: { pending: 0, dead: 0, rejected: 0 },
      oldestPendingAt: null,
      runs: [],
      tasks: [],
    })
    expect(await readdir(cwd)).toEqual(['.owmrc.json'])
  })

  it('an empty file: says so, leaves it empty', async () => {
    const cwd = await folderWith(base)
    await writeFile(join(cwd, 'o.db'), '')
    expect((await owm(['outbox', 'inspect'], { cwd })).stdout).toContain('nothing')
    expect(await inspect(cwd)).toMatchObject({ totals: { pending: 0 }, runs: [], tasks: [] })
    expect((await stat(join(cwd, 'o.db'))).size).toBe(0)
  })

  it('an outbox in which nothing happened', async () => {
    const cwd = await folderWith(base)
    await owm(['flush'], { cwd })
    expect(await inspect(cwd)).toMatchObject({
      totals: { pending: 0, dead: 0, rejected: 0 },
      oldestPendingAt: null,
      runs: [],
      tasks: [],
    })
  })
})

describe('what happened', () => {
  it('totals, and the runs with their counts, the newest first', async () => {
    const { totals, runs } = await inspect(await eventful())
    expect(totals).toMatchObject({ pending: 2, dead: 1, rejected: 2 })
    const counts = { read: 4, rejected: 1, duplicates: 1, persisted: 2, startedAt: expect.stringMatching(isoTime) }
    expect(runs).toMatchObject([
      { ...counts, slot: slots[1], delivered: 0, dead: 0, finishedAt: null },
      { ...counts, slot: slots[0], delivered: 1, dead: 1, finishedAt: expect.stringMatching(isoTime) },
    ])
    expect(runs.map((run) => run.state)).toEqual(['read', 'done'])
  })

  it('the tasks of each state, with attempts and the last error', async () => {
    const cwd = await eventful()
    const [later, earlier] = (await inspect(cwd)).runs
    const createdAt = expect.stringMatching(isoTime)
    expect((await inspect(cwd, '--state', 'pending')).tasks).toMatchObject([
      {
        seq: 3,
        runId: later?.runId,
        state: 'pending',
        attempts: 1,
        lastError: expect.stringContaining('127.0.0.1:1'),
        createdAt,
        task: { city: 'Lagos' },
      },
      { seq: 4, runId: later?.runId, state: 'pending', attempts: 1, task: { city: 'Bad Ischl' } },
    ])
    expect((await inspect(cwd, '--state', 'dead')).tasks).toMatchObject([
      {
        seq: 2,
        runId: earlier?.runId,
        state: 'dead',
        attempts: 1,
        lastError: 'too bad',
        createdAt,
        task: { city: 'Bad Ischl' },
      },
    ])
    expect((await inspect(cwd, '--state', 'delivered')).tasks).toMatchObject([
      { seq: 1, runId: earlier?.runId, state: 'delivered', lastError: null, task: { city: 'Lagos' } },
    ])
    const rejected = (await inspect(cwd, '--state', 'rejected')).tasks.filter((task) =>
      task.lastError?.includes('latitude'),
    )
    expect(rejected).toMatchObject([
      {
        seq: null,
        runId: later?.runId,
        state: 'rejected',
        position: 'locations[2]',
        value: expect.stringContaining('Nowhere'),
      },
      {
        seq: null,
        runId: earlier?.runId,
        state: 'rejected',
        position: 'locations[2]',
        value: expect.stringContaining('Nowhere'),
      },
    ])
  })

  it('what waits and what died, without --state', async () => {
    const { tasks } = await inspect(await eventful())
    expect(tasks.map((task) => [task.state, task.seq])).toEqual([
      ['dead', 2],
      ['pending', 3],
      ['pending', 4],
    ])
  })

  it('the age of the oldest pending task', async () => {
    const cwd = await folderWith({ ...base, sink: deadSink })
    const before = Date.now()
    await owm(['produce', '--no-flush', '--slot', slots[0]], { cwd })
    const after = Date.now()
    await owm(['produce', '--no-flush', '--slot', slots[1]], { cwd })
    const { oldestPendingAt, tasks } = await inspect(cwd)
    expect(oldestPendingAt).toBe(tasks[0]?.createdAt)
    expect(Date.parse(oldestPendingAt ?? '')).toBeGreaterThanOrEqual(before)
    expect(Date.parse(oldestPendingAt ?? '')).toBeLessThanOrEqual(after)
    const jsonl = ['--sink', 'jsonl', '--set', 'sink.path=tasks.jsonl']
    await owm(['flush', '--limit', '3', ...jsonl], { cwd })
    const rest = await inspect(cwd)
    expect({ pending: rest.totals.pending, oldest: rest.oldestPendingAt }).toEqual({
      pending: 1,
      oldest: tasks.at(-1)?.createdAt,
    })
    await owm(['flush', ...jsonl], { cwd })
    expect((await inspect(cwd)).oldestPendingAt).toBeNull()
  })

  it("a record nested deeper than SQLite's JSON goes does not keep the others from being shown", async () => {
    const cwd = await folderWith({ ...base, source: { use: 'static-list', file: 'list.json' } })
    const deep = { ...place('Deep'), note: JSON.parse(`${'['.repeat(1_500)}${']'.repeat(1_500)}`) }
    await writeFile(join(cwd, 'list.json'), JSON.stringify([deep, place('Flat')]))
    await owm(['produce', '--no-flush'], { cwd })
    const { totals, tasks } = await inspect(cwd, '--location', 'flat')
    expect({ totals, tasks }).toMatchObject({
      totals: { pending: 1, rejected: 1 },
      tasks: [{ task: { city: 'Flat' } }],
    })
  })
})

describe('only some', () => {
  it('--run takes an id or its beginning', async () => {
    const cwd = await eventful()
    const [later, earlier] = (await inspect(cwd)).runs
    for (const id of [earlier?.runId ?? '', (earlier?.runId ?? '').slice(0, 8)]) {
      const { runs, tasks } = await inspect(cwd, '--run', id)
      expect(runs.map((run) => run.runId)).toEqual([earlier?.runId])
      expect(tasks.map((task) => task.seq)).toEqual([2])
    }
    expect((await inspect(cwd, '--run', later?.runId ?? '')).tasks.map((task) => task.seq)).toEqual([3, 4])
    for (const none of ['no-such-run', '%', '_']) expect((await inspect(cwd, '--run', none)).runs).toEqual([])
  })

  it('--location finds text, in any case', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--no-flush'], { cwd })
    const cities = async (text: string): Promise<(string | undefined)[]> =>
      (await inspect(cwd, '--location', text)).tasks.map(({ task }) => task?.city)
    expect(await cities('LAGOS')).toEqual(['Lagos'])
    expect(await cities('Łódź')).toEqual(['Łódź'])
    expect(await cities('%')).toEqual([])
  })

  it('--limit', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 50 }, flush: { batchSize: 4 } })
    for (const slot of slots) await owm(['produce', '--no-flush', '--slot', slot], { cwd })
    const { runs, tasks } = await inspect(cwd, '--limit', '1')
    expect([runs.map((run) => run.slot), tasks.map((task) => task.seq)]).toEqual([[slots[1]], [1]])
    expect((await inspect(cwd, '--limit', '70')).tasks.map((task) => task.seq)).toEqual(
      Array.from({ length: 70 }, (_, index) => index + 1),
    )
  })
})

describe('only looks', () => {
  const facts = async (path: string): Promise<unknown> => ({
    mtime: (await stat(path, { bigint: true })).mtimeNs,
    bytes: (await readFile(path)).toString('base64'),
  })

  it('at an outbox at rest: no file changes, none comes', async () => {
    const cwd = await eventful()
    const files = (await readdir(cwd)).sort()
    const before = await facts(join(cwd, 'o.db'))
    expect((await inspect(cwd)).totals.pending).toBe(2)
    expect(await facts(join(cwd, 'o.db'))).toEqual(before)
    expect((await readdir(cwd)).sort()).toEqual(files)
  })

  it('at a running producer, which it neither changes nor waits for', async () => {
    const cwd = await folderWith({
      ...base,
      source: { use: 'simulated-db', count: 2_000, pageSize: 100, latencyMs: 50 },
      flush: { batchSize: 100 },
    })
    const crash = ['--import', join(root, 'test', 'support', 'crash.mjs')]
    const producer = startOwm(['produce', '--json'], {
      cwd,
      node: crash,
      env: { OWM_CRASH_AT: 'batch:sent:3', OWM_CRASH_SIGNAL: 'SIGSTOP' },
    })
    await until(async () =>
      (await promisify(execFile)('ps', ['-o', 'stat=', '-p', `${producer.child.pid}`])).stdout.startsWith('T'),
    )
    const files = [join(cwd, 'o.db'), join(cwd, 'o.db-wal')]
    const before = await Promise.all(files.map(facts))
    const { totals, runs } = await inspect(cwd)
    expect(totals.pending).toBeGreaterThan(0)
    expect(runs).toMatchObject([{ state: 'reading', finishedAt: null }])
    expect(await Promise.all(files.map(facts))).toEqual(before)
    producer.child.kill('SIGCONT')
    const ran = await producer.ended
    expect({ code: ran.code, json: JSON.parse(ran.stdout) }).toMatchObject({
      code: 0,
      json: { sink: { delivered: 2_000 } },
    })
    expect((await inspect(cwd)).totals.pending).toBe(0)
  })

  it('again and again while a producer runs: always a whole picture, and never in its way', async () => {
    const cwd = await folderWith({
      ...base,
      source: { use: 'simulated-db', count: 3_000, pageSize: 50, latencyMs: 20 },
      flush: { batchSize: 100 },
    })
    let running = true
    const producer = startOwm(['produce', '--json'], { cwd }).ended.finally(() => {
      running = false
    })
    let looksAtRun = 0
    while (running) {
      const { totals, runs } = await inspect(cwd)
      const [run] = runs
      if (!run) continue
      looksAtRun++
      expect(run.delivered + totals.pending).toBeLessThanOrEqual(3_000)
    }
    expect(looksAtRun).toBeGreaterThan(0)
    expect(await producer).toMatchObject({ code: 0, stderr: '' })
  })

  it('at a file and a folder that can only be read', async () => {
    const cwd = await eventful()
    await chmod(join(cwd, 'o.db'), 0o400)
    await chmod(cwd, 0o555)
    // With these capabilities, permissions don't bind root.
    const [program = '', ...args] = [
      ...(isRoot ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []),
      ...[process.execPath, bin, 'outbox', 'inspect', '--json'],
    ]
    const { stdout } = await promisify(execFile)(program, args, { cwd })
    await chmod(cwd, 0o755)
    expect(JSON.parse(stdout)).toMatchObject({ totals: { pending: 2, dead: 1 } })
  })
})

describe('the table', () => {
  it('fits 80 columns', async () => {
    const cwd = await eventful()
    const city = 'Krung Thep Maha Nakhon Amon Rattanakosin Mahinthara Ayutthaya'
    await owm(
      [
        'produce',
        '--no-flush',
        '--slot',
        '2026-11-23T12:00:00.123Z',
        '--set',
        `source.locations=[{"city":"${city}","latitude":1.123456789,"longitude":-100.123456789}]`,
      ],
      { cwd },
    )
    const { stdout } = await owm(['outbox', 'inspect'], { cwd, env: { COLUMNS: '80' } })
    const lines = stdout.split('\n').filter((line) => !line.startsWith('outbox '))
    for (const word of ['pending', 'dead', 'rejected', slots[0], 'Lagos', 'Krung Thep', 'too bad'])
      expect(stdout).toContain(word)
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80)
    expect(lines.length).toBeGreaterThan(8)
  })

  it("keeps a terminal's escape sequences from reaching it", async () => {
    const evil = 'Rome\u001b[2J\u001b]0;owned\u0007\u009b31m\r\u202eemoR'
    const cwd = await folderWith({ ...base, source: list(place(evil), { ...place('x'), latitude: `${evil}` }) })
    const outputs = [await owm(['produce', '--no-flush'], { cwd }), await owm(['produce', '--dry-run'], { cwd })]
    for (const state of ['pending', 'rejected'])
      outputs.push(await owm(['outbox', 'inspect', '--state', state], { cwd }))
    for (const { code, stdout, stderr } of outputs) {
      expect(code).toBe(0)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    }
    expect(outputs.at(-2)?.stdout).toContain('Rome')
    expect((await inspect(cwd, '--state', 'pending')).tasks).toMatchObject([{ task: { city: evil } }])
  })
})
