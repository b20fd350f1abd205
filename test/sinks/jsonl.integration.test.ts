/** The file of tasks: only one's own, one writer at a time, whole lines. */
import { execFile } from 'node:child_process'
import { appendFile, link, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { base, slot, tasksIn } from '../cli/scene.js'
import { bin, folderWith, owm, type Ran, startOwm, until } from '../support/cli.js'
import { isLong } from '../support/conditions.js'
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

it.each(['.lock', '.receipts'])(
  "a file of somebody's that has the name of the sink's %s too is refused",
  async (ending) => {
    const cwd = await folderWith(base)
    await writeFile(join(cwd, 'precious'), 'remember the milk')
    const at = join(cwd, `tasks.jsonl${ending}`)
    await link(join(cwd, 'precious'), at)
    const { code, stderr } = await produce(cwd)
    expect([code, stderr]).toEqual([78, expect.stringContaining(`find / -samefile ${at}`)])
    expect(stderr).toMatch(/2 names \(hard links\)[\s\S]*remove this one/)
    expect(stderr).not.toMatch(/SQLite|copy/)
    expect(await readFile(join(cwd, 'precious'), 'utf8')).toBe('remember the milk')
  },
)

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
    expect({ code, stderr }).toEqual({
      code: 75,
      stderr: expect.stringMatching(/can't be written: EPIPE.*\n.*the tasks wait/),
    })
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

it.each(['removed', 'moved'])(
  'a file that is %s while a start writes to it: 75, and the next start goes on',
  async (how) => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 20_000 }, flush: { batchSize: 50 } })
    const file = join(cwd, 'tasks.jsonl')
    const start = startOwm(['produce', '--slot', slot], { cwd })
    await until(async () => (await tasksIn(cwd).catch(() => [])).length > 500)
    await rename(file, join(cwd, 'old.jsonl'))
    const old = how === 'moved' ? join(cwd, 'old.jsonl') : undefined
    if (!old) await rm(join(cwd, 'old.jsonl'))
    const { code, stderr } = await start.ended
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('was removed or replaced') })
    expect(await readdir(cwd)).not.toContain('tasks.jsonl')
    expect((await produce(cwd)).code).toBe(0)
    const [before, behind] = [
      old ? (await readFile(old, 'utf8')).split('\n').length - 1 : 0,
      (await tasksIn(cwd)).length,
    ]
    expect(behind).toBeLessThan(20_000)
    if (old) expect(before + behind).toBeGreaterThanOrEqual(20_000)
  },
)

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
  it.runIf(isLong)('wait for each other, and leave the file alone where that takes too long', async () => {
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
  })
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

describe("a standard stream of owm's own is no file of tasks", () => {
  /** As a shell starts owm, with the streams where `redirections` say. */
  async function started(command: string, redirections: string, path: string, cwd: string): Promise<number> {
    const script = `node=$1 bin=$2 path=$3; exec "$node" "$bin" ${command} --set "sink.path=$path" ${redirections}`
    return new Promise((resolve) => {
      execFile('sh', ['-c', script, 'sh', process.execPath, bin, path], { cwd }, (error) =>
        resolve(error === null ? 0 : Number(error.code)),
      )
    })
  }

  it.each([
    ['/dev/stdout', '> out 2> err'],
    ['/dev/stdout', '2> err | cat > out; exit 78'],
    ['/dev/fd/1', '> out 2> err'],
    ['/proc/self/fd/1', '> out 2> err'],
    ['/dev/stderr', '> out 2> err'],
    ['/proc/thread-self/fd/2', '> out 2> err'],
    ['/dev/stdin', '< /dev/null > out 2> err'],
    ['./out', '> out 2> err'],
    ['./link', '>> out 2> err'],
    ['./err', '> out 2>> err'],
    ['./to-stdout', '> out 2> err'],
  ])('%s, with %s', async (path, redirections) => {
    const cwd = await folderWith(base)
    await symlink('out', join(cwd, 'link'))
    await symlink('/dev/stdout', join(cwd, 'to-stdout'))
    for (const command of [`produce --slot ${slot}`, 'config check', 'doctor']) {
      expect(await started(command, redirections, path, cwd), command).toBe(78)
      const [out, err] = [await readFile(join(cwd, 'out'), 'utf8'), await readFile(join(cwd, 'err'), 'utf8')]
      expect(out + err).toMatch(/is the standard (output|error|input) of owm itself/)
      expect(out + err).not.toContain('task_id')
      if (/std?out|fd.1|link$/.test(path)) expect(out + err).toContain('Write - for standard output')
    }
    expect((await readdir(cwd)).filter((name) => /lock|receipts/.test(name) && !name.startsWith('o.db'))).toEqual([])
  })

  it('but all may go to /dev/null, and the tasks to a pipe that is another descriptor', async () => {
    const cwd = await folderWith(base)
    expect(await started(`produce --slot ${slot}`, '> /dev/null 2> err', '/dev/null', cwd)).toBe(0)
    expect(await started('produce', '3>&1 > out 2> err | cat > piped', '/dev/fd/3', cwd)).toBe(0)
    expect((await readFile(join(cwd, 'piped'), 'utf8')).match(/task_id/g)).toHaveLength(20)
    // A file behind it has no place for a lock there: it is named itself.
    expect(await started('produce', '3> tasks > out 2> err', '/dev/fd/3', await folderWith(base))).toBe(78)
  })
})
