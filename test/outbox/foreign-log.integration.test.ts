/** A log that a killed process left, beside a file of another time: a restored backup. */
import { copyFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith, owm, root, startOwm } from '../support/cli.js'

const crash = ['--import', join(root, 'test', 'support', 'crash.mjs')]

/** Of a run of so many tasks, the log is copied into the file, more than once. */
const many = 20_000

async function project(count: number): Promise<string> {
  return folderWith({
    source: { use: 'simulated-db', count, pageSize: 500 },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
  })
}

const produce = (hour: number): string[] => ['produce', '--slot', `2026-11-23T${hour}:00:00Z`]

/** Kills a start once it has stored everything. */
async function kill(cwd: string, hour: number): Promise<void> {
  const args = [...produce(hour), '--no-flush']
  const ended = await startOwm(args, { cwd, node: crash, env: { OWM_CRASH_AT: 'reading:ended' } }).ended
  expect(ended.signal).toBe('SIGKILL')
}

async function expectEachOnce(cwd: string, count: number): Promise<void> {
  const lines = (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).split('\n').filter(Boolean)
  expect([lines.length, new Set(lines).size]).toEqual([count, count])
}

interface Scene {
  what: string
  count: number
  /** The hours of whole runs between the backup and the start that is killed. */
  between: number[]
}

const scenes: Scene[] = [
  { what: 'before the last run', count: 500, between: [11] },
  { what: 'just before a long run', count: many, between: [] },
]

test.each(scenes)(
  'a backup from $what, copied over the file, is refused with the log of a killed start',
  async (scene) => {
    const cwd = await project(scene.count)
    const [path, backup] = [join(cwd, 'outbox.db'), join(cwd, 'backup.db')]
    expect(await owm(produce(10), { cwd })).toMatchObject({ code: 0 })
    await copyFile(path, backup)
    for (const hour of scene.between) expect(await owm(produce(hour), { cwd })).toMatchObject({ code: 0 })
    await kill(cwd, 20)
    const log = await readFile(`${path}-wal`)
    await copyFile(backup, path)
    for (const args of [produce(20), ['flush'], ['outbox', 'inspect'], ['runs'], ['doctor'], ['outbox', 'purge']]) {
      const ran = await owm(args, { cwd })
      expect(ran, args.join(' ')).toMatchObject({ code: 74 })
      expect(ran.stdout + ran.stderr).toMatch(/outbox\.db-wal, belong to different states/)
    }
    expect((await readFile(path)).equals(await readFile(backup))).toBe(true)
    expect((await readFile(`${path}-wal`)).equals(log)).toBe(true)
    for (const ending of ['-wal', '-shm']) await rm(`${path}${ending}`, { force: true })
    expect(await owm(produce(20), { cwd })).toMatchObject({ code: 0 })
    await expectEachOnce(cwd, (scene.between.length + 2) * scene.count)
  },
)

test.each([500, many])('the log of a killed start is taken beside its own file, of %s tasks', async (count) => {
  const cwd = await project(count)
  expect(await owm(produce(10), { cwd })).toMatchObject({ code: 0 })
  await kill(cwd, 20)
  await kill(cwd, 21)
  expect(await owm(['runs'], { cwd })).toMatchObject({ code: 0 })
  expect(await owm(produce(22), { cwd })).toMatchObject({ code: 0 })
  await expectEachOnce(cwd, 4 * count)
})
