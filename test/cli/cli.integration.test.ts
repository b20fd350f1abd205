import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderWith, owm, owmJson, type Ran, root, startOwm, temporaryFolder, until } from '../support/cli.js'
import { startRedis, type TestRedis } from '../support/redis.js'

const slot = '2026-11-23T10:00:00Z'
const here = { city: 'Here', latitude: 1, longitude: 2 }
const nowhere = { city: 'Nowhere', latitude: 91, longitude: 2 }
const list = (...locations: object[]): object => ({ use: 'static-list', locations })
const jsonl = { use: 'jsonl', path: 'tasks.jsonl' }
const outbox = { path: 'o.db' }
/** Nobody listens on port 1. */
const deadSink = { use: 'redis-stream', url: 'redis://127.0.0.1:1' }
const retry = { attempts: 1 }

const base = { source: { use: 'simulated-db', count: 20 }, sink: jsonl, outbox, retry }

interface Counts {
  source: { name: string | null; read: number; rejected: number; duplicates: number }
  outbox: { path: string | null; persisted: number; pending: number; dead: number }
  sink: { name: string | null; delivered: number; deduplicated: number }
  error?: { code: string; message: string; hint: string }
}

const textOrNull = expect.toBeOneOf([null, expect.any(String)])
const number = expect.any(Number)
const sinkShape = { name: textOrNull, delivered: number, deduplicated: number }
const shapes = {
  produce: {
    runId: textOrNull,
    slot: expect.any(String),
    source: { name: textOrNull, read: number, rejected: number, duplicates: number },
    outbox: { path: textOrNull, persisted: number, pending: number, dead: number },
    sink: sinkShape,
    durationMs: number,
  },
  flush: { outbox: { path: textOrNull, pending: number, dead: number }, sink: sinkShape, durationMs: number },
  'outbox inspect': {
    path: textOrNull,
    totals: { pending: number, dead: number, rejected: number },
    oldestPendingAt: textOrNull,
    runs: expect.any(Array),
    tasks: expect.any(Array),
  },
}

/** The tasks that the jsonl sink has written. */
async function tasksIn(folder: string): Promise<{ task_id: string; city: string; location_id?: number }[]> {
  const lines = (await readFile(join(folder, 'tasks.jsonl'), 'utf8')).split('\n').slice(0, -1)
  return lines.map((line): { task_id: string; city: string; location_id?: number } => JSON.parse(line))
}

/** Every file below a folder with its time and content. */
async function snapshot(folder: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mtimeNs } = await stat(path, { bigint: true })
    seen[path] = `${mtimeNs} ${
      entry.isFile()
        ? createHash('sha256')
            .update(await readFile(path))
            .digest('hex')
        : ''
    }`
  }
  return seen
}

/** Until a process is stopped by SIGSTOP. */
async function untilStopped(pid: number | undefined): Promise<void> {
  await until(async () => (await promisify(execFile)('ps', ['-o', 'stat=', '-p', `${pid}`])).stdout.startsWith('T'))
}

/** Starts owm so that SIGSTOP holds it at a step of its work. */
function startAndStopAt(step: string, args: string[], cwd: string): ReturnType<typeof startOwm> {
  return startOwm(args, {
    cwd,
    node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
    env: { OWM_CRASH_AT: step, OWM_CRASH_SIGNAL: 'SIGSTOP' },
  })
}

const pendingIn = async (cwd: string): Promise<number> => {
  const { json } = await owmJson<{ totals: { pending: number } }>(['outbox', 'inspect'], { cwd })
  return json.totals.pending
}

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
    expect((await owm(['flush'], { cwd })).code).toBe(0)
    const { code, json } = await owmJson<Counts>(['produce'], { cwd })
    expect({ code, read: json.source.read }).toEqual({ code: 0, read: 0 })
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

  it.each([['prodcue'], ['produce', 'surplus']])('no such command: %j %j', async (...args) => {
    const { code, stdout, stderr } = await owm(args, { cwd: await folderWith(base) })
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('There is no command'),
    })
  })
})

describe('exit 65: input rejected, with --strict', () => {
  it('the good locations are handed over all the same', async () => {
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
    expect((await owm(['produce'], { cwd: await folderWith({ ...base, source: list(nowhere) }) })).code).toBe(0)
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
            hint: expect.any(String),
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

describe('exit 78: configuration', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis({ args: ['--requirepass', 'right'] })
  })
  afterAll(() => redis.stop())

  it.each(['produce', 'flush', 'outbox inspect'] as const)('%s: an unknown key', async (command) => {
    const cwd = await folderWith({ ...base, flsh: {} })
    const { code, json, stderr } = await owmJson<Counts>(command.split(' '), { cwd })
    expect(json).toMatchObject({
      ...shapes[command],
      error: { code: 'CONFIGURATION', message: expect.stringContaining('flsh'), hint: expect.any(String) },
    })
    expect({ code, stderr, files: await readdir(cwd) }).toEqual({ code: 78, stderr: '', files: ['.owmrc.json'] })
  })

  it.each(['produce', 'flush'] as const)('%s: no configuration', async (command) => {
    const { code, json } = await owmJson<Counts>([command], { cwd: await temporaryFolder() })
    expect({ code, json }).toMatchObject({
      code: 78,
      json: { ...shapes[command], error: { hint: expect.stringContaining('owm init') } },
    })
  })

  it.each([
    ['no password', ''],
    ['a wrong password', ':wrong@'],
  ])('%s stops at once, the tasks are still in the outbox', async (_, credentials) => {
    const url = redis.url.replace('redis://', `redis://${credentials}`)
    const cwd = await folderWith({
      ...base,
      sink: { use: 'redis-stream', url },
      retry: { attempts: 50, initialDelayMs: 10_000 },
    })
    const { code, json } = await owmJson<Counts>(['produce'], { cwd })
    expect({ code, json }).toMatchObject({
      code: 78,
      json: {
        ...shapes.produce,
        outbox: { pending: 20 },
        error: { code: 'CONFIGURATION', hint: expect.stringContaining('password') },
      },
    })
  })

  const guarded: { where: string; sink?: object; args?: string[]; env?: Record<string, string> }[] = [
    { where: 'a wrong host', sink: { url: 'redis://owner:Hunter2-s3cret@127.0.0.1:1' } },
    { where: 'a wrong host, the password encoded', sink: { url: 'redis://owner:Hunter2%2Fs3cret@127.0.0.1:1' } },
    { where: 'a wrong password', sink: { url: 'redis://:Hunter2-s3cret@REDIS' } },
    { where: 'a wrong password and a database', sink: { url: 'redis://:Hunter2-s3cret@REDIS/1' } },
    { where: 'no number of a database', sink: { url: 'redis://:Hunter2-s3cret@REDIS/notanumber' } },
    { where: 'a variable', sink: { url: 'redis://:${PASSWORD}@127.0.0.1:1' }, env: { PASSWORD: 'correct-horse' } },
    { where: 'OWM_REDIS_URL', env: { OWM_REDIS_URL: 'redis://owner:Hunter2-s3cret@127.0.0.1:1' } },
    { where: 'OWM_REDIS_URL of another scheme', env: { OWM_REDIS_URL: 'http://owner:Hunter2-s3cret@127.0.0.1:1' } },
    { where: '--set', args: ['--set', 'sink.url=redis://owner:Hunter2-s3cret@127.0.0.1:1'] },
    { where: 'a URL without slashes', sink: { url: 'redis:owner:Hunter2-s3cret@127.0.0.1' } },
    { where: 'a URL with a slash in the password', sink: { url: 'redis://owner:Hunter2/s3cret@127.0.0.1:1' } },
    { where: '--set of a URL without slashes', args: ['--set', 'sink.url=rediss:owner:Hunter2-s3cret@127.0.0.1'] },
    { where: '--set without a path', args: ['--set', 'redis://owner:Hunter2-s3cret@127.0.0.1:1'] },
    { where: 'an unknown key', sink: { password: 'Hunter2-s3cret' } },
  ]
  it.each(guarded)('a secret never reaches an output: in $where', async ({ sink, args = [], env }) => {
    const secret = /hunter|s3cret|correct-horse/i
    const config = { ...base, source: { use: 'simulated-db', count: 1 }, sink: { use: 'redis-stream', ...sink } }
    const cwd = await folderWith(JSON.parse(JSON.stringify(config).replace('REDIS', `${redis.host}:${redis.port}`)))
    for (const level of [['warn'], ['debug'], ['trace'], ['trace', '--json']]) {
      const { code, stdout, stderr } = await owm(['produce', ...args, '--log-level', ...level], { cwd, env })
      expect([2, 75, 78]).toContain(code)
      expect(stdout + stderr).not.toMatch(secret)
      expect(stdout + stderr).toMatch(/owm: |"error":/)
    }
    for (const file of await readdir(cwd))
      if (file.startsWith('o.db')) expect(await readFile(join(cwd, file), 'latin1')).not.toMatch(secret)
  })

  it("a password that is not a URL's is no reason to retry", async () => {
    const cwd = await folderWith({
      ...base,
      sink: { use: 'redis-stream', url: 'redis://owner:Hunter2/s3cret@127.0.0.1:1' },
    })
    expect(await owmJson<Counts>(['produce'], { cwd })).toMatchObject({
      code: 78,
      json: { error: { message: expect.stringContaining('%2F') } },
    })
  })

  it('a secret that reads like a key renames none', async () => {
    const cwd = await folderWith({ ...base, sink: deadSink })
    const { json } = await owmJson<Counts>(['produce'], { cwd, env: { OWM_REDIS_URL: 'redis://:sink@127.0.0.1:1' } })
    expect(json).toMatchObject(shapes.produce)
  })
})

describe('interrupted', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
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
  it('--no-flush stores, flush hands over', async () => {
    const cwd = await folderWith(base)
    const stored = await owmJson<Counts>(['produce', '--no-flush'], { cwd })
    expect(stored).toMatchObject({ code: 0, json: { outbox: { persisted: 20, pending: 20 }, sink: { delivered: 0 } } })
    expect(await readdir(cwd)).not.toContain('tasks.jsonl')
    const flushed = await owmJson<Counts>(['flush'], { cwd })
    expect(flushed).toMatchObject({ code: 0, json: { outbox: { pending: 0 }, sink: { delivered: 20 } } })
    expect(await tasksIn(cwd)).toHaveLength(20)
  })

  it('produce hands over what is pending before its own', async () => {
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

  it('flush --limit hands over so many, in order, and exits 0', async () => {
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

  it('hands over a row that was rejected and is fixed now, and one that was added', async () => {
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
