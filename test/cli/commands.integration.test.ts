/** What the commands print and leave behind. */
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith, owm, owmJson, type Ran, temporaryFolder } from '../support/cli.js'
import {
  base,
  type Counts,
  deadSink,
  here,
  list,
  nowhere,
  pendingIn,
  shapes,
  slot,
  snapshot,
  tasksIn,
} from './scene.js'

describe('without a terminal', () => {
  const oneLine = /^[^\n]+\n$/

  it('produce and flush print one summary line, and nothing on standard error', async () => {
    const cwd = await folderWith(base)
    for (const args of [
      ['produce', '--slot', slot],
      ['produce', '--slot', slot],
      ['produce', '--no-flush'],
      ['flush'],
    ]) {
      const { code, stdout, stderr } = await owm(args, { cwd })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(oneLine)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: no colour, no progress bar
      expect(stdout).not.toMatch(/[\r\u001b]/)
    }
  })

  it('the summary says what happened', async () => {
    const { stdout } = await owm(['produce', '--slot', slot], {
      cwd: await folderWith({ ...base, source: list(here, nowhere, here) }),
    })
    for (const part of [slot, '3 locations', '1 rejected', '1 duplicate', '1 task', 'jsonl'])
      expect(stdout).toContain(part)
  })

  it('trouble and what to do stand on standard error, without a stack trace', async () => {
    const { code, stderr } = await owm(['produce'], { cwd: await folderWith({ ...base, sink: deadSink }) })
    expect(code).toBe(75)
    expect(stderr).toContain('127.0.0.1:1')
    expect(stderr).toMatch(/outbox/)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it.each(['debug', 'trace'])('--log-level %s adds the stack trace', async (level) => {
    const { stderr } = await owm(['produce', '--log-level', level], {
      cwd: await folderWith({ ...base, sink: deadSink }),
    })
    expect(stderr).toMatch(/^\s+at /m)
    expect(stderr).toContain('caused by')
  })

  it('logs on standard error are JSON lines', async () => {
    const { stderr } = await owm(['produce', '--json', '--log-level', 'warn'], {
      cwd: await folderWith({ ...base, sink: deadSink, retry: { attempts: 2, initialDelayMs: 1 } }),
    })
    const lines = stderr.split('\n').slice(0, -1)
    expect(lines).not.toEqual([])
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number), msg: expect.any(String) })
  })
})

describe('owm init', () => {
  it('writes a file that produce accepts', async () => {
    const cwd = await temporaryFolder()
    expect((await owm(['init'], { cwd })).code).toBe(0)
    expect(await readdir(cwd)).toEqual(['.owmrc.yaml', 'owm.schema.json'])
    const { code, json } = await owmJson<Counts>(['produce', '--dry-run'], { cwd })
    expect({ code, error: json.error }).toEqual({ code: 0, error: undefined })
    expect(json.source.read).toBeGreaterThan(0)
  })

  it('does not overwrite', async () => {
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, '.owmrc.yaml'), 'mine: true\n')
    const { code, stderr } = await owm(['init'], { cwd })
    expect({ code, text: await readFile(join(cwd, '.owmrc.yaml'), 'utf8') }).toEqual({ code: 78, text: 'mine: true\n' })
    expect(stderr).toContain('.owmrc.yaml')
  })
})

describe('--dry-run writes nothing anywhere', () => {
  /** The home and the folder for temporary files are watched as well. */
  async function watched(args: string[], folder: string): Promise<Ran> {
    const env = { HOME: join(folder, 'home'), TMPDIR: join(folder, 'tmp') }
    for (const path of Object.values(env)) await mkdir(path, { recursive: true })
    const before = await snapshot(folder)
    const ran = await owm(args, { cwd: folder, env })
    expect(await snapshot(folder)).toEqual(before)
    return ran
  }

  it('produce, without an outbox', async () => {
    const cwd = await folderWith({ ...base, outbox: { path: 'new/folder/o.db' } })
    expect(await watched(['produce', '--dry-run'], cwd)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('20 tasks'),
    })
  })

  it('produce shows what it would send, which is what it then sends', async () => {
    const cwd = await folderWith({ ...base, source: list(here, nowhere) })
    const { stdout } = await watched(['produce', '--dry-run', '--slot', slot, '--json'], cwd)
    await owm(['produce', '--slot', slot], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      ...shapes.produce,
      source: { read: 2, rejected: 1 },
      tasks: await tasksIn(cwd),
    })
  })

  it.each(['produce', 'flush'])('%s, beside an outbox with pending tasks', async (command) => {
    const cwd = await folderWith({ ...base, sink: deadSink })
    await owm(['produce', '--no-flush'], { cwd })
    const { code, stdout } = await watched([command, '--dry-run'], cwd)
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('20') })
    expect(await pendingIn(cwd)).toBe(20)
  })

  it('flush, without an outbox', async () => {
    expect(await watched(['flush', '--dry-run', '--json'], await folderWith(base))).toMatchObject({
      code: 0,
      stderr: '',
    })
  })
})

describe('in steps', () => {
  it('--no-flush stores, flush delivers', async () => {
    const cwd = await folderWith(base)
    const stored = await owmJson<Counts>(['produce', '--no-flush'], { cwd })
    expect(stored).toMatchObject({ code: 0, json: { outbox: { persisted: 20, pending: 20 }, sink: { delivered: 0 } } })
    expect(await readdir(cwd)).not.toContain('tasks.jsonl')
    const flushed = await owmJson<Counts>(['flush'], { cwd })
    expect(flushed).toMatchObject({ code: 0, json: { outbox: { pending: 0 }, sink: { delivered: 20 } } })
    expect(await tasksIn(cwd)).toHaveLength(20)
  })

  it('produce delivers what is pending before its own', async () => {
    const cwd = await folderWith({ ...base, source: list(here) })
    await owm(
      [
        'produce',
        '--no-flush',
        '--slot',
        '2026-11-23T09:00:00Z',
        '--set',
        'source.locations=[{"city":"Before","latitude":1,"longitude":2}]',
      ],
      { cwd },
    )
    const { code, json } = await owmJson<Counts>(['produce', '--slot', slot], { cwd })
    expect({ code, delivered: json.sink.delivered, pending: json.outbox.pending }).toEqual({
      code: 0,
      delivered: 2,
      pending: 0,
    })
    expect((await tasksIn(cwd)).map((task) => task.city)).toEqual(['Before', 'Here'])
  })

  it('flush --limit delivers so many, in order, and exits 0', async () => {
    const cwd = await folderWith({ ...base, flush: { batchSize: 6 } })
    await owm(['produce', '--no-flush'], { cwd })
    for (const [limit, delivered, pending] of [
      [1, 1, 19],
      [10, 10, 9],
      [100, 9, 0],
    ]) {
      const { code, json } = await owmJson<Counts>(['flush', '--limit', `${limit}`], { cwd })
      expect({ code, json }).toMatchObject({ code: 0, json: { sink: { delivered }, outbox: { pending } } })
    }
    expect((await tasksIn(cwd)).map((task) => task.location_id)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    )
  })

  it('flush --limit --dry-run says how many', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--no-flush'], { cwd })
    expect((await owm(['flush', '--limit', '7', '--dry-run'], { cwd })).stdout).toContain('7 tasks')
  })
})

it('jsonl on standard output: only tasks there, the summary on standard error', async () => {
  const cwd = await folderWith(base)
  const { code, stdout, stderr } = await owm(['produce', '--sink', 'jsonl', '--set', 'sink.path=-'], { cwd })
  expect(code).toBe(0)
  const lines = stdout.split('\n')
  expect(lines.pop()).toBe('')
  expect(lines).toHaveLength(20)
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty('task_id')
  expect(stderr).toMatch(/^slot [^\n]*20 tasks[^\n]*\n$/)
})

describe("somebody else's sink on standard output", () => {
  const openOnly = { opened: 'usesStandardOutput: true,', declared: '' }
  const both = { ...openOnly, declared: 'usesStandardOutput: () => true,' }

  async function folderOf({ opened, declared }: typeof both): Promise<string> {
    const cwd = await folderWith({ ...base, sink: { use: './printer.mjs' } })
    await writeFile(
      join(cwd, 'printer.mjs'),
      `import { defineSink, z } from 'owm-producer'
      export default defineSink({
        name: 'printer', description: 'prints', options: z.strictObject({ path: z.string().optional() }), ${declared}
        open: () => ({
          guarantee: 'at-least-once', ${opened}
          async deliver({ tasks }) {
            for (const task of tasks) process.stdout.write(task + '\\n')
            return tasks.map(() => 'delivered')
          },
        }),
      })`,
    )
    return cwd
  }

  it.each([
    ['says it when it is open', openOnly, 20],
    ['says it before', both, 0],
  ])('%s: the summary goes to standard error, and --json is refused', async (_, sink, stored) => {
    const refused = { code: 'CONFIGURATION', message: expect.stringContaining('--json would both be written') }
    const cwd = await folderOf(sink)
    const { code, stdout, json } = await owmJson<object>(['produce', '--slot', slot], { cwd })
    expect({ code, json }).toMatchObject({ code: 78, json: { error: refused, outbox: { persisted: stored } } })
    expect(stdout).not.toContain('task_id')
    expect((await owmJson(['produce', '--dry-run'], { cwd })).code).toBe(0)

    const ran = await owm(['produce', '--slot', slot], { cwd })
    expect(ran.code).toBe(0)
    const lines = ran.stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(20)
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('task_id')
    expect(ran.stderr).toContain('20 tasks delivered')
  })

  it('is not taken for one by a path of its own that reads -', async () => {
    const cwd = await folderOf({ opened: '', declared: '' })
    const args = ['produce', '--set', 'sink.path=-', '--no-flush']
    expect(await owmJson(args, { cwd })).toMatchObject({ code: 0, json: { outbox: { persisted: 20 } } })
  })
})

it('jsonl on standard output refuses --json before anything is read', async () => {
  const cwd = await folderWith({ ...base, sink: { use: 'jsonl', path: '-' } })
  const { code, json } = await owmJson(['produce'], { cwd })
  expect({ code, json }).toMatchObject({ code: 78, json: { outbox: { persisted: 0 } } })
})

describe('the same slot again', () => {
  it('hands nothing over twice; a later slot is new work', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--slot', slot], { cwd })
    const again = await owmJson<Counts>(['produce', '--slot', slot], { cwd })
    expect(again).toMatchObject({ code: 0, json: { sink: { delivered: 0 }, outbox: { persisted: 0 } } })
    // The same moment, written otherwise.
    await owm(['produce', '--slot', '2026-11-23T11:00:00.000+01:00'], { cwd })
    expect(await tasksIn(cwd)).toHaveLength(20)
    await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })
    const tasks = await tasksIn(cwd)
    expect({ lines: tasks.length, ids: new Set(tasks.map((task) => task.task_id)).size }).toEqual({
      lines: 40,
      ids: 40,
    })
  })

  it('delivers a row that was rejected and is fixed now, and one that was added', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'static-list', file: 'list.csv' } })
    await writeFile(join(cwd, 'list.csv'), 'latitude,longitude,city\n1,2,Here\n95,2,There\n')
    expect(await owmJson<Counts>(['produce', '--slot', slot], { cwd })).toMatchObject({
      code: 0,
      json: { source: { rejected: 1 }, sink: { delivered: 1 } },
    })
    await writeFile(join(cwd, 'list.csv'), 'latitude,longitude,city\n1,2,Here\n59,2,There\n')
    await appendFile(join(cwd, 'list.csv'), '3,4,Everywhere\n')
    expect(await owmJson<Counts>(['produce', '--slot', slot, '--strict'], { cwd })).toMatchObject({
      code: 0,
      json: { source: { rejected: 0 }, sink: { delivered: 2 } },
    })
    expect((await tasksIn(cwd)).map((task) => task.city)).toEqual(['Here', 'There', 'Everywhere'])
  })
})
