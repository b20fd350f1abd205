/** The disk fails, the file is wrong, the clock lies. */
import { execFile, execFileSync } from 'node:child_process'
import {
  appendFile,
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  open,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Ran, root, temporaryFolder } from '../support/cli.js'
import { isLinux, isRoot } from '../support/conditions.js'
import { entriesIn, openDatabase } from '../support/contents.js'
import {
  expectGood,
  faultScene,
  pidOf,
  produceArgs,
  type Scene,
  type SceneOptions,
  untilSaid,
} from '../support/faults.js'
import { complaintsWhenComplete } from '../support/oracle.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

const run = promisify(execFile)
const canMount = isLinux && isRoot && mounts()

let redis: RedisProcess
let streams = 0

beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis.stop())

const newScene = (options: Partial<SceneOptions> = {}): Promise<Scene> =>
  faultScene({ sink: { url: redis.url, stream: `disk-${++streams}` }, ...options })

/** 74, in words for an operator: what happened, what is safe, nothing of the inside. */
function expectDiskTrouble(ran: Ran, cause: RegExp, nextStep: RegExp): void {
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 74, signal: null })
  const [message = '', hint = ''] = ran.stderr.slice(ran.stderr.indexOf('owm: ')).split('\n')
  expect(message).toMatch(cause)
  expect(hint).toMatch(nextStep)
  expect(ran.stdout + ran.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m)
}

// --- full disks ---

/** A process may not make any file longer than this from now on. */
const limitFiles = (pid: number, bytes: number | 'unlimited'): Promise<unknown> =>
  run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`])

describe.runIf(isLinux)('a file that can grow no more (RLIMIT_FSIZE)', () => {
  test('while persisting', async () => {
    const scene = await newScene()
    const running = await scene.stopAt('intake:persisted:1', produceArgs(0))
    await limitFiles(pidOf(running), (await stat(`${scene.outbox}-wal`)).size + 20_000)
    process.kill(pidOf(running), 'SIGCONT')
    expectDiskTrouble(await running.ended, /outbox .* can't be used: the disk/, /safe/)
    await scene.holds()
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('while acknowledging', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0, ['--no-flush']))
    const running = await scene.stopAt('batch:answered:3', ['flush'])
    await limitFiles(pidOf(running), (await stat(`${scene.outbox}-wal`)).size)
    process.kill(pidOf(running), 'SIGCONT')
    expectDiskTrouble(await running.ended, /outbox .* can't be used: the disk/, /safe/)
    await scene.holds()
    expect((await entriesIn(scene.sink)).length).toBeLessThan(scene.locations.valid.length)
    expectGood(await scene.owm(['flush']))
    await scene.complete()
  })
})

function mounts(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A small file system of its own at `folder`. */
async function mountAt(folder: string, megabytes: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'owm-test', folder])
  onTestFinished(async () => {
    await run('umount', ['--lazy', folder])
  })
}

/** Fills a file system to its last byte, but for `leave`. Returns the way back. */
async function fill(folder: string, leave = 0): Promise<() => Promise<void>> {
  const path = join(folder, 'ballast')
  const ballast = await open(path, 'w')
  const block = Buffer.alloc(4096)
  let size = 0
  try {
    for (;;) size += (await ballast.write(block)).bytesWritten
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
    await ballast.truncate(size - leave)
  } finally {
    await ballast.close()
  }
  return () => rm(path)
}

describe.runIf(canMount)('a full disk', () => {
  async function onSmallDisk(
    megabytes: number,
    options: Partial<SceneOptions> = {},
  ): Promise<{ scene: Scene; disk: string }> {
    const scene = await newScene({ outbox: { path: './disk/outbox.db' }, ...options })
    const disk = join(scene.folder, 'disk')
    await mountAt(disk, megabytes)
    return { scene, disk }
  }

  test('from the start', async () => {
    const { scene, disk } = await onSmallDisk(2)
    const makeRoom = await fill(disk)
    expectDiskTrouble(await scene.produce(0), /outbox .* can't be used: the disk is full/, /Make room .* safe/)
    await scene.holds()
    await makeRoom()
    expectGood(await scene.produce(0))
    await scene.complete()
    // Now the files are there, and SQLite can't enlarge the one that it maps.
    await fill(disk)
    expectDiskTrouble(await scene.produce(1), /the disk is full/, /Make room .* safe/)
  })

  test('while persisting', async () => {
    const { scene, disk } = await onSmallDisk(8)
    const running = await scene.stopAt('intake:persisted:1', produceArgs(0))
    const makeRoom = await fill(disk)
    process.kill(pidOf(running), 'SIGCONT')
    expectDiskTrouble(await running.ended, /outbox .* can't be used: the disk is full/, /Make room .* safe/)
    await scene.holds()
    // Without room it stays that way, and nothing gets worse.
    expectDiskTrouble(await scene.produce(1), /the disk is full/, /Make room .* safe/)
    await scene.holds()
    await makeRoom()
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('while acknowledging', async () => {
    const { scene, disk } = await onSmallDisk(8)
    expectGood(await scene.produce(0, ['--no-flush']))
    const running = await scene.stopAt('batch:answered:3', ['flush'])
    const makeRoom = await fill(disk)
    process.kill(pidOf(running), 'SIGCONT')
    expectDiskTrouble(await running.ended, /outbox .* can't be used: the disk is full/, /Make room .* safe/)
    await scene.holds()
    await makeRoom()
    expectGood(await scene.owm(['flush']))
    await scene.complete()
  })

  test("under jsonl's file: exit 75, then all of it; no broken line", async () => {
    const scene = await faultScene({ sink: 'jsonl', retry: { attempts: 2, initialDelayMs: 5, maxDelayMs: 5 } })
    const disk = join(scene.folder, 'disk')
    await mountAt(disk, 2)
    await symlink('disk/tasks.jsonl', join(scene.folder, 'tasks.jsonl'))
    const running = await scene.stopAt('batch:answered:3', produceArgs(0))
    const makeRoom = await fill(disk, 4096)
    process.kill(pidOf(running), 'SIGCONT')
    const ran = await running.ended
    expect(ran, ran.stderr).toMatchObject({ code: 75 })
    expect(ran.stderr).toMatch(/ENOSPC|full/)
    await scene.holds()
    await makeRoom()
    expectGood(await scene.owm(['flush', '--force']))
    await scene.complete()
  })

  test("under jsonl's file, with room again while owm still tries: no broken line", async () => {
    const scene = await faultScene({ sink: 'jsonl', retry: { attempts: 50, initialDelayMs: 200, maxDelayMs: 200 } })
    const disk = join(scene.folder, 'disk')
    await mountAt(disk, 2)
    await symlink('disk/tasks.jsonl', join(scene.folder, 'tasks.jsonl'))
    const running = await scene.stopAt('batch:answered:3', [...produceArgs(0), '--set', 'breaker.failures=1000'])
    const makeRoom = await fill(disk, 4096)
    const retried = untilSaid(running, 'is tried again')
    process.kill(pidOf(running), 'SIGCONT')
    await retried
    await makeRoom()
    expectGood(await running.ended)
    await scene.complete()
  })
})

// --- read-only ---

describe('a folder that can only be read', () => {
  test.each([false, true])('(an outbox in it: %s)', async (there) => {
    const scene = await newScene({ outbox: { path: './disk/outbox.db' } })
    const disk = join(scene.folder, 'disk')
    if (canMount) await mountAt(disk, 16)
    else await mkdir(disk)
    // Permission bits don't hold root back.
    const protect = (): Promise<unknown> => (canMount ? run('mount', ['-o', 'remount,ro', disk]) : chmod(disk, 0o555))
    const unprotect = (): Promise<unknown> => (canMount ? run('mount', ['-o', 'remount,rw', disk]) : chmod(disk, 0o755))
    if (there) expectGood(await scene.produce(0, ['--no-flush']))
    await protect()
    onTestFinished(async () => void (await unprotect()))
    await expect(appendFile(join(disk, 'probe'), '')).rejects.toThrow(/EROFS|EACCES/)
    const before = there ? await readFile(scene.outbox) : undefined
    expectDiskTrouble(await scene.owm(produceArgs(1)), /outbox .* can't be used/, /writable|--outbox/)
    const cause = there ? /outbox .* can't be used/ : /There is no outbox/
    expectDiskTrouble(await scene.owm(['flush']), cause, /writable|--outbox/)
    if (before) expect(await readFile(scene.outbox)).toEqual(before)
    await unprotect()
    expectGood(await scene.produce(1))
    await scene.complete()
  })
})

// --- wrong files ---

/** Bytes that no SQLite page begins with. */
const noise = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 197 + 13) % 251))

async function overwrite(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, at)
  await file.close()
}

async function statement(path: string, sql: string): Promise<void> {
  const all = await openDatabase(path)
  await all(sql)
  await all.close()
}

describe('a file that is no outbox of this owm: exit 74, and not a byte of it changes', () => {
  test.each<{ what: string; cause: RegExp; make: (path: string) => Promise<void> }>([
    {
      what: 'a text file',
      cause: /isn't a SQLite database/,
      make: (path) => writeFile(path, 'id,latitude,longitude\n'.repeat(500)),
    },
    {
      what: "somebody else's database",
      cause: /not an owm outbox/,
      make: async (path) => {
        await rm(path)
        await writeFile(path, '')
        await statement(path, 'CREATE TABLE customers (name TEXT)')
      },
    },
    {
      what: 'a damaged header',
      cause: /isn't a SQLite database|damaged/,
      make: (path) => overwrite(path, 0, noise.subarray(0, 100)),
    },
    {
      what: 'a damaged first page',
      cause: /isn't a SQLite database|damaged/,
      make: (path) => overwrite(path, 100, noise.subarray(100)),
    },
    {
      what: 'the first half only',
      cause: /damaged/,
      make: async (path) => truncate(path, Math.floor((await stat(path)).size / 8192) * 4096),
    },
    {
      what: 'the first 1,000 bytes only',
      cause: /damaged|isn't a SQLite database/,
      make: (path) => truncate(path, 1_000),
    },
    { what: 'a newer schema', cause: /newer owm/, make: (path) => statement(path, 'PRAGMA user_version = 99') },
  ])('$what', async ({ cause, make }) => {
    const scene = await newScene()
    expectGood(await scene.produce(0, ['--no-flush']))
    await copyFile(scene.outbox, join(scene.folder, 'good.db'))
    await make(scene.outbox)
    const before = await readFile(scene.outbox)
    for (const args of [produceArgs(1), ['outbox', 'inspect']]) expectDiskTrouble(await scene.owm(args), cause, /\S/)
    expect(before.equals(await readFile(scene.outbox))).toBe(true)
    expect(await entriesIn(scene.sink)).toEqual([])
    // With the good file back everything is there.
    await copyFile(join(scene.folder, 'good.db'), scene.outbox)
    expectGood(await scene.produce(1))
    await scene.complete()
  })

  test('a damaged page of tasks: found when it is read, and not skipped', async () => {
    const scene = await newScene()
    expectGood(await scene.produce(0, ['--no-flush']))
    await copyFile(scene.outbox, join(scene.folder, 'good.db'))
    const all = await openDatabase(scene.outbox)
    const [page] = await all<{ at: number }>(
      "SELECT (rootpage - 1) * page_size AS at FROM sqlite_schema, pragma_page_size WHERE name = 'batch'",
    )
    await all.close()
    await overwrite(scene.outbox, page?.at ?? 0, noise)
    for (const args of [['flush'], produceArgs(1)])
      expectDiskTrouble(await scene.owm(args), /the file is damaged/, /recover/)
    expect(await entriesIn(scene.sink)).toEqual([])
    await copyFile(join(scene.folder, 'good.db'), scene.outbox)
    expectGood(await scene.produce(1))
    await scene.complete()
  })
})

describe('a file that is not ours to take', () => {
  test.each(['outbox.db', 'outbox.db-lock'])('%s is a symbolic link', async (name) => {
    const scene = await newScene()
    const target = join(await temporaryFolder(), 'target')
    await symlink(target, join(scene.folder, name))
    expectDiskTrouble(await scene.produce(0), /symbolic link/, /another file/)
    await expect(lstat(target)).rejects.toMatchObject({ code: 'ENOENT' })
    await rm(join(scene.folder, name))
    expectGood(await scene.produce(0))
    await scene.complete()
  })

  test.runIf(isRoot).each(['outbox.db', 'outbox.db-lock'])('%s belongs to another user', async (name) => {
    const scene = await newScene()
    const path = join(scene.folder, name)
    await writeFile(path, '', { mode: 0o600 })
    await chown(path, 12_345, 12_345)
    expectDiskTrouble(await scene.produce(0), /user 12345/, /another file/)
    expect(await readFile(path)).toHaveLength(0)
    await chown(path, 0, 0)
    expectGood(await scene.produce(0))
    await scene.complete()
  })
})

describe('a deleted write-ahead log, after SIGKILL', () => {
  test.each([
    { rows: 1_500, at: 'batch:answered:5', checkpointed: false },
    { rows: 30_000, at: 'batch:answered:250', checkpointed: true },
  ])('$rows rows: the same slot completes', async ({ rows, at, checkpointed }) => {
    const scene = await newScene({ locations: { rows } })
    await scene.crash(at, produceArgs(0))
    expect((await stat(`${scene.outbox}-wal`)).size).toBeGreaterThan(0)
    // What was in it is gone with it; the file alone is the state of the last checkpoint.
    expect((await stat(scene.outbox)).size > 1_000_000).toBe(checkpointed)
    await rm(`${scene.outbox}-wal`)
    expectGood(await scene.produce(0))
    expect(await complaintsWhenComplete({ ...scene.case(), guarantee: 'at-least-once' })).toEqual([])
  })
})

describe('a clock that goes backwards', () => {
  const day = 86_400_000
  const shifted = (milliseconds: number): { node: string[]; env: Record<string, string> } => ({
    node: ['--import', join(root, 'test', 'support', 'clock.mjs')],
    env: { OWM_TEST_CLOCK_MS: String(milliseconds) },
  })

  test('between two runs, with an earlier slot: both are complete', async () => {
    const scene = await newScene({ outbox: { keepTasks: 100 } })
    await scene.crash('batch:answered:5', produceArgs(5), shifted(2 * day))
    await scene.crash('intake:persisted:2', produceArgs(2), shifted(-2 * day))
    await scene.holds()
    expectGood(await scene.produce(3, [], shifted(-day)))
    await scene.complete()
    const inspected = await scene.owm(['outbox', 'inspect', '--json'])
    expectGood(inspected)
  })

  test('a circuit that opened in what is now the future turns away one start, not all', async () => {
    const scene = await newScene()
    const dead = '--set sink.url=redis://127.0.0.1:1 --set breaker.failures=1 --set breaker.resetAfterMs=1'.split(' ')
    const failed = await scene.produce(0, dead, shifted(2 * day))
    expect(failed, failed.stderr).toMatchObject({ code: 75 })
    await scene.produce(0, dead)
    expect((await scene.produce(0, dead)).stderr).toContain('ECONNREFUSED')
    expectGood(await scene.produce(0))
    await scene.complete()
  })
})
