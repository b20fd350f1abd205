/** The file of tasks: only one's own, one writer at a time, whole lines. */
import { execFile } from 'node:child_process'
import { appendFile, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { base, slot, tasksIn } from '../cli/scene.js'
import { folderWith, owm, type Ran, startOwm, until } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

const produce = (cwd: string, ...args: string[]): Promise<Ran> => owm(['produce', '--slot', slot, ...args], { cwd })

const task = (id: string): string => `{"task_id":"${id}","latitude_deg":1,"longitude_deg":2,"city":"Lagos"}`
const someTask = task('0b5a0b5a-0b5a-5b5a-8b5a-0b5a0b5a0b5a')

describe("a file that isn't the sink's", () => {
  it.each([
    ['JSON without a last line feed', '{"cities": ["Lagos", "Quito"]}'],
    ['JSON over several lines', '{\n  "cities": []\n}\n'],
    ['a list', '[{"task_id":"1"}]'],
    ['JSON lines of somebody else', '{"level":30,"msg":"x"}\n'],
    ['text', 'remember the milk'],
    ['nothing that is text', '\u0000\u0001'],
    ['tasks, and something else behind them', `${someTask}\n{"cities": 1}\n`],
    ['tasks, and half a line of something else', `${someTask}\n{"cities": `],
    ['tasks of somebody else', `${task('deploy-1')}\n`],
    ['… and half of one', `${task('deploy-1')}\n{"task_id":"deploy-2`],
    ['half a task of somebody else', '{"task_id":"deploy-1"'],
    ['a whole one', '{"task_id":"deploy-1"}'],
    ['what may be half a task', someTask.slice(0, 60)],
    ['a line feed', '\n# notes'],
  ])('is left as it is: %s', async (_, text) => {
    const cwd = await folderWith(base)
    await writeFile(join(cwd, 'tasks.jsonl'), text)
    const { code, stderr } = await produce(cwd)
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining('something else') })
    expect(await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).toBe(text)
    expect((await produce(cwd, '--set', 'sink.path=others.jsonl')).code).toBe(0)
  })
})

describe('a pipe', () => {
  const run = promisify(execFile)

  it('that nobody reads takes no task', async () => {
    const cwd = await folderWith(base)
    await run('mkfifo', [join(cwd, 'tasks.jsonl')])
    const { code, stderr } = await produce(cwd)
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('Nobody reads the pipe') })
  })

  it('that somebody reads gives that one every task; where the reader has gone, they wait', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 3_000 } })
    await run('mkfifo', [join(cwd, 'tasks.jsonl')])
    const reader = run('cat', [join(cwd, 'tasks.jsonl')], { maxBuffer: 10_000_000 })
    expect((await produce(cwd)).code).toBe(0)
    expect((await reader).stdout.trimEnd().split('\n')).toHaveLength(3_000)
    const gone = run('head', ['-n', '1', join(cwd, 'tasks.jsonl')])
    const { code, stderr } = await owm(['produce'], { cwd })
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('EPIPE') })
    expect((await gone).stdout).toContain('task_id')
  })

  it.each([
    ['pipe', (path: string) => run('mkfifo', [path])],
    ['link', (path: string) => symlink('/nowhere/else', path)],
  ])('or a link in the place of the receipts is refused at once: a %s', async (_, make) => {
    const cwd = await folderWith(base)
    await make(join(cwd, 'tasks.jsonl.receipts'))
    const { code, stderr } = await produce(cwd)
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining('tasks.jsonl.receipts') })
    expect(await tasksIn(cwd).catch(() => [])).toEqual([])
  })
})

describe('half a line that a crash left', () => {
  it.each(['{', '{"task_id":"', '{"task_id":"0b5a","latitude_deg":1', `{"task_id":"${'é'.repeat(9)}`])(
    'is cut off: %s',
    async (half) => {
      const cwd = await folderWith(base)
      expect((await produce(cwd)).code).toBe(0)
      const whole = await readFile(join(cwd, 'tasks.jsonl'), 'utf8')
      await appendFile(join(cwd, 'tasks.jsonl'), half)
      expect((await owm(['produce'], { cwd })).code).toBe(0)
      expect((await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).startsWith(whole)).toBe(true)
      expect(await tasksIn(cwd)).toHaveLength(40)
    },
  )

  it('gets its line feed, where nothing else of it is missing', async () => {
    const cwd = await folderWith(base)
    await writeFile(join(cwd, 'tasks.jsonl'), someTask)
    expect((await produce(cwd)).code).toBe(0)
    expect((await tasksIn(cwd))[0]).toEqual(JSON.parse(someTask))
  })

  it('is cut off as well where it is all that there is', async () => {
    const cwd = await folderWith(base)
    await writeFile(join(cwd, 'tasks.jsonl'), someTask.slice(0, -3))
    expect((await produce(cwd)).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(20)
  })
})

describe('two owms that write one file', () => {
  it('keep off each other: neither cuts what the other one is writing', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 3_000 } })
    const ends = await Promise.all(
      ['a', 'b', 'c'].map((name) => startOwm(['produce', '--outbox', `${name}.db`], { cwd }).ended),
    )
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(await tasksIn(cwd)).toHaveLength(9_000)
  })

  // It waits for half a minute: npm run test:faults.
  it.runIf(process.env['OWM_TEST_LONG'])(
    'wait for each other, and leave the file alone where that takes too long',
    async () => {
      const cwd = await folderWith({ ...base, retry: { attempts: 1 } })
      expect((await produce(cwd)).code).toBe(0)
      const lock = await openDatabase(join(cwd, 'tasks.jsonl.lock'))
      await lock('BEGIN IMMEDIATE')
      await appendFile(join(cwd, 'tasks.jsonl'), '{"task_id":"half')
      const before = await readFile(join(cwd, 'tasks.jsonl'), 'utf8')
      const { code, stderr } = await owm(['produce'], { cwd })
      expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('Another owm is writing') })
      expect(await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).toBe(before)
      await lock.close()
      expect((await owm(['flush'], { cwd })).code).toBe(0)
      expect(await tasksIn(cwd)).toHaveLength(40)
    },
  )
})

describe('what is no regular file', () => {
  it('is written to as ever: a device, and a link to a file of tasks', async () => {
    const cwd = await folderWith(base)
    expect((await produce(cwd, '--set', 'sink.path=/dev/null', '--outbox', 'null.db')).code).toBe(0)
    expect((await produce(cwd)).code).toBe(0)
    await rename(join(cwd, 'tasks.jsonl'), join(cwd, 'real.jsonl'))
    await symlink('real.jsonl', join(cwd, 'tasks.jsonl'))
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    await until(async () => (await tasksIn(cwd)).length === 40)
  })
})
