/** Each exit code, with what --json says to it. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith, owm, owmJson, startOwm, until } from '../support/cli.js'
import {
  base,
  type Counts,
  deadSink,
  here,
  list,
  nowhere,
  shapes,
  slot,
  snapshot,
  startAndStopAt,
  tasksIn,
  untilStopped,
} from './scene.js'

describe('exit 0', () => {
  it('everything that was read is in the sink', async () => {
    const cwd = await folderWith(base)
    const { code, json } = await owmJson<Counts>(['produce', '--slot', slot], { cwd })
    expect(json).toMatchObject(shapes.produce)
    expect(json).toMatchObject({
      runId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      slot,
      source: { name: 'simulated-db', read: 20, rejected: 0, duplicates: 0 },
      outbox: { path: join(cwd, 'o.db'), persisted: 20, pending: 0, dead: 0 },
      sink: { name: 'jsonl', delivered: 20, deduplicated: 0 },
    })
    expect({ code, error: json.error, tasks: (await tasksIn(cwd)).length }).toEqual({
      code: 0,
      error: undefined,
      tasks: 20,
    })
  })

  it('rejected and repeated locations are counted, not hidden', async () => {
    const cwd = await folderWith({ ...base, source: list(here, nowhere, here, { ...here, city: 'There' }) })
    const { code, json } = await owmJson<Counts>(['produce'], { cwd })
    expect({ code, json }).toMatchObject({
      code: 0,
      json: { source: { read: 4, rejected: 1, duplicates: 1 }, outbox: { persisted: 2 }, sink: { delivered: 2 } },
    })
  })

  it('flush', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--no-flush'], { cwd })
    const { code, json } = await owmJson<Counts>(['flush'], { cwd })
    expect(json).toMatchObject(shapes.flush)
    expect({ code, json }).toMatchObject({
      code: 0,
      json: {
        outbox: { path: join(cwd, 'o.db'), pending: 0, dead: 0 },
        sink: { name: 'jsonl', delivered: 20, deduplicated: 0 },
      },
    })
  })

  it('an empty source, and a flush of nothing', async () => {
    const cwd = await folderWith({ ...base, source: list() })
    const { code, json } = await owmJson<Counts>(['produce'], { cwd })
    expect({ code, read: json.source.read }).toEqual({ code: 0, read: 0 })
    expect((await owm(['flush'], { cwd })).code).toBe(0)
  })
})

describe('exit 2: wrong flags', () => {
  it.each([
    ['produce', ['--nope']],
    ['produce', ['--slot', 'yesterday']],
    ['produce', ['--slot', '2026-11-23T10:00:00']],
    ['produce', ['--log-level', 'loud']],
    ['produce', ['--set', 'nothing']],
    ['flush', ['--limit', '0']],
    ['flush', ['--limit', 'many']],
    ['outbox inspect', ['--state', 'lost']],
    ['outbox inspect', ['--limit', '-1']],
  ] as const)('%s %j', async (command, args) => {
    const cwd = await folderWith(base)
    const call = [...command.split(' '), ...args]
    const { code, stdout, stderr } = await owm(call, { cwd })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
    expect(stderr).not.toMatch(/^\s+at /m)
    const inJson = await owmJson<Counts>(call, { cwd })
    expect(inJson).toMatchObject({
      code: 2,
      stderr: '',
      json: { ...shapes[command], error: { code: 'USAGE', message: expect.any(String), hint: expect.any(String) } },
    })
    expect(await readdir(cwd)).toEqual(['.owmrc.json'])
  })

  it.each([
    [['prodcue'], 'There is no command'],
    [['produce', 'surplus'], 'Unexpected argument: surplus'],
  ])('no such command, or argument: %j', async (args, message) => {
    const { code, stdout, stderr } = await owm(args, { cwd: await folderWith(base) })
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(message) })
  })
})

describe('exit 65: input rejected, with --strict', () => {
  it('the good locations are delivered all the same', async () => {
    const cwd = await folderWith({ ...base, source: list(nowhere, here) })
    const { code, json } = await owmJson<Counts>(['produce', '--strict'], { cwd })
    expect(json).toMatchObject({
      ...shapes.produce,
      source: { read: 2, rejected: 1 },
      sink: { delivered: 1 },
      error: { code: 'INPUT_REJECTED', hint: expect.any(String) },
    })
    expect({ code, cities: (await tasksIn(cwd)).map((task) => task.city) }).toEqual({ code: 65, cities: ['Here'] })
  })

  it('in a dry run too', async () => {
    expect(
      (await owm(['produce', '--strict', '--dry-run'], { cwd: await folderWith({ ...base, source: list(nowhere) }) }))
        .code,
    ).toBe(65)
  })

  it('nothing rejected: 0', async () => {
    expect((await owm(['produce', '--strict'], { cwd: await folderWith(base) })).code).toBe(0)
  })

  it('without --strict: 0', async () => {
    expect((await owm(['produce'], { cwd: await folderWith({ ...base, source: list(nowhere, here) }) })).code).toBe(0)
  })
})

describe("exit 74: the outbox can't be used", () => {
  const outboxes: Readonly<Record<string, (folder: string) => Promise<unknown>>> = {
    'not a database': (folder) => writeFile(join(folder, 'o.db'), 'These are my notes, not a database.\n'.repeat(100)),
    'a symbolic link': async (folder) => {
      await writeFile(join(folder, 'elsewhere'), '')
      await symlink(join(folder, 'elsewhere'), join(folder, 'o.db'))
    },
    'a folder': (folder) => mkdir(join(folder, 'o.db')),
  }
  it.each(
    Object.keys(outboxes).flatMap((what) =>
      (['produce', 'flush', 'outbox inspect'] as const).map((command) => [what, command] as const),
    ),
  )('%s, found by %s', async (what, command) => {
    const cwd = await folderWith(base)
    await outboxes[what]?.(cwd)
    const before = await snapshot(cwd)
    const { code, json, stderr } = await owmJson<Counts>(command.split(' '), { cwd })
    expect(json).toMatchObject({
      ...shapes[command],
      error: { code: 'OUTBOX', message: expect.stringContaining(join(cwd, 'o.db')), hint: expect.any(String) },
    })
    expect({ code, stderr }).toEqual({ code: 74, stderr: '' })
    const { [join(cwd, 'o.db-lock')]: _lock, ...after } = await snapshot(cwd)
    expect(after).toEqual(before)
  })

  it('a file where a folder should be', async () => {
    const cwd = await folderWith({ ...base, outbox: { path: '.owmrc.json/o.db' } })
    expect((await owm(['produce'], { cwd })).code).toBe(74)
  })
})

describe('exit 75: tasks are safe in the outbox, not in the sink', () => {
  it('produce, then flush', async () => {
    const cwd = await folderWith({ ...base, sink: deadSink })
    const produced = await owmJson<Counts>(['produce'], { cwd })
    expect(produced).toMatchObject({
      code: 75,
      json: {
        ...shapes.produce,
        outbox: { persisted: 20, pending: 20 },
        sink: { delivered: 0 },
        error: { code: 'NOT_HANDED_OVER', hint: expect.any(String) },
      },
    })
    const flushed = await owmJson<Counts>(['flush'], { cwd })
    expect(flushed).toMatchObject({
      code: 75,
      json: {
        ...shapes.flush,
        outbox: { pending: 20 },
        error: { message: expect.stringContaining('127.0.0.1:1'), hint: expect.any(String) },
      },
    })
    expect((await owm(['flush', '--sink', 'jsonl', '--set', 'sink.path=tasks.jsonl'], { cwd })).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(20)
  })

  it('another owm holds the outbox: says who, or waits', async () => {
    const cwd = await folderWith(base)
    const holder = startAndStopAt('intake:persisted', ['produce', '--slot', slot], cwd)
    await untilStopped(holder.child.pid)
    for (const command of ['produce', 'flush'] as const) {
      const loser = await owmJson<Counts>([command], { cwd })
      expect(loser).toMatchObject({
        code: 75,
        json: {
          ...shapes[command],
          error: {
            code: 'OUTBOX_BUSY',
            message: expect.stringContaining(`${holder.child.pid}`),
            hint: expect.stringMatching(/or start with --wait\. If it hangs, end that process \(`kill`/),
          },
        },
      })
    }
    const waiting = startOwm(['flush', '--wait'], { cwd })
    holder.child.kill('SIGCONT')
    expect([(await holder.ended).code, (await waiting.ended).code]).toEqual([0, 0])
    expect(await tasksIn(cwd)).toHaveLength(20)
  })
})

describe('interrupted', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)('%s: exit %d, and the next start resumes', async (signal, code) => {
    const count = 1_000
    const cwd = await folderWith({
      ...base,
      source: { use: 'simulated-db', count, pageSize: 10, latencyMs: 20 },
      flush: { batchSize: 50 },
    })
    const running = startOwm(['produce', '--slot', slot, '--json'], { cwd })
    await until(async () => (await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')) !== '')
    running.child.kill(signal)
    // A terminal that is closed sends it, and so does its shell.
    if (signal === 'SIGHUP') running.child.kill(signal)
    const ran = await running.ended
    const json: Counts = JSON.parse(ran.stdout)
    expect(json).toMatchObject({ ...shapes.produce, error: { code: 'INTERRUPTED', hint: expect.any(String) } })
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code, stderr: '' })
    expect(json.source.read).toBeLessThan(count)
    expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
    const tasks = await tasksIn(cwd)
    expect({ lines: tasks.length, ids: new Set(tasks.map((task) => task.task_id)).size }).toEqual({
      lines: count,
      ids: count,
    })
  })
})
