/** Faults of the outbox and its disk, each made for real. */
import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sqlite3 from 'sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { bin, folderWith, owm, startOwm, until } from '../support/cli.js'
import { isRootOnLinux } from '../support/conditions.js'
import { describeWithStranger } from '../support/users.js'
import { at, doctor, type Examined, expectFound, folderOf, healthy, wrongIn } from './scene.js'

const run = promisify(execFile)

/** A connection to the outbox of a folder, as another program has it. */
async function other(cwd: string): Promise<(sql: string) => Promise<void>> {
  const opened = await new Promise<sqlite3.Database>((resolve, reject) => {
    const database = new sqlite3.Database(join(cwd, 'outbox.db'), (error) =>
      error ? reject(error) : resolve(database),
    )
  })
  onTestFinished(() => new Promise<void>((resolve) => opened.close(() => resolve())))
  return (sql) => new Promise((resolve, reject) => opened.exec(sql, (error) => (error ? reject(error) : resolve())))
}

async function produced(config: object = healthy, files: Record<string, string> = {}): Promise<string> {
  const cwd = await folderOf(config, files)
  expect((await owm(['produce', '--slot', '2026-11-23T10:00:00Z'], { cwd })).stderr).toBe('')
  return cwd
}

it.runIf(isRootOnLinux)('memory, a layer of a container, and no room on either', async () => {
  const cwd = await folderOf({
    ...healthy,
    sink: { use: 'jsonl', path: '/mnt/tasks.jsonl' },
    outbox: { path: '/mnt/o.db' },
  })
  const mounted = async (how: string): Promise<Examined> => {
    const script = `${how} && cd "$1" && exec "$2" "$3" doctor --json`
    const args = ['--mount', '/bin/sh', '-c', script, 'sh', cwd, process.execPath, bin]
    const child = run('unshare', args)
    const { stdout } = await child.catch((error: { stdout: string }) => error)
    const { exitCode: code, signalCode: signal } = child.child
    return { code, signal, stdout, stderr: '', json: JSON.parse(stdout) }
  }
  expectFound(await mounted('mount -t tmpfs -o size=500k tmpfs /mnt'), 74, 'outbox-disk', 'outbox-space', 'jsonl-space')
  const layers = 'mount -t tmpfs -o size=500m tmpfs /media && mkdir /media/l /media/u /media/w'
  const overlay = 'mount -t overlay -o lowerdir=/media/l,upperdir=/media/u,workdir=/media/w overlay /mnt'
  const ran = await mounted(`${layers} && ${overlay}`)
  expectFound(ran, 74, 'outbox-disk')
  expect(ran.json.checks.find(({ code }) => code === 'outbox-disk')?.found).toMatch(/on overlay: a container/)
})

it('a folder that the machine clears is only good to know', async () => {
  const cwd = await folderWith(healthy)
  expectFound(await doctor(cwd), 0, 'outbox-cleaned')
  const quiet = await owm(['doctor', '-q'], { cwd })
  expect(quiet.stdout).toMatch(/^note {4}outbox-cleaned: .*\n {8}why: .*\n {8}do: .*\n$/)
})

describeWithStranger('a second user', (stranger) => {
  it("owns the outbox's folder, or the outbox", async () => {
    const cwd = await produced()
    await chown(join(cwd, 'outbox.db'), stranger().uid, 0)
    const ran = await doctor(cwd)
    expectFound(ran, 74, 'outbox-folder')
    expect(JSON.stringify(ran.json)).toContain(`belongs to user ${stranger().uid}`)
    await chown(join(cwd, 'outbox.db'), 0, 0)
    await chown(cwd, stranger().uid, 0)
    expect(wrongIn(await doctor(cwd, ['--trust-config', '--trust-folder']))).toEqual([])
    expect(wrongIn(await doctor(cwd, ['--trust-config']))).toContain('outbox-folder')
  })

  it('owns the outbox, in a folder that it may only read', async () => {
    const cwd = await produced()
    await chmod(cwd, 0o755)
    await chmod(join(cwd, '.owmrc.json'), 0o644)
    for (const file of ['outbox.db', 'outbox.db-lock']) await chown(join(cwd, file), stranger().uid, 0)
    const ran = await stranger().owm(['doctor', '--trust-config'], cwd)
    expect(ran.stdout).toMatch(/^wrong {3}outbox-folder: .*can't be written/m)
  })

  it('may not write where the outbox is, nor read what is in it', async () => {
    const cwd = await produced()
    await chmod(cwd, 0o755)
    await chmod(join(cwd, '.owmrc.json'), 0o644)
    const ran = await stranger().owm(['doctor', '--trust-config'], cwd)
    expect(ran.code).toBe(78) // its file of tasks can't be written either
    expect(ran.stdout).toMatch(/^wrong {3}outbox-folder: /m)
    expect(ran.stdout).toMatch(/^wrong {3}outbox-readable: .*may not read outbox.db/m)
    expect(ran.stdout).toMatch(/^wrong {3}sink-options: /m)
  })
})

it('a log whose outbox is gone', async () => {
  const cwd = await produced()
  const sql = await other(cwd)
  await sql("UPDATE state SET breaker = 'x'")
  await rm(join(cwd, 'outbox.db'))
  expectFound(await doctor(cwd), 74, 'outbox-log')
  await truncate(join(cwd, 'outbox.db-wal'), 0)
  expectFound(await doctor(cwd), 0)
})

it('a damaged outbox, and one of a newer owm', async () => {
  const cwd = await produced()
  await (await other(cwd))('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)')
  expectFound(await doctor(cwd), 74, 'outbox-schema')
  const file = join(cwd, 'outbox.db')
  await writeFile(file, (await readFile(file)).fill(7, 0, 4_096))
  for (const ending of ['-wal', '-shm']) await rm(`${file}${ending}`, { force: true })
  expectFound(await doctor(cwd), 74, 'outbox-readable')
})

it("another configuration's", async () => {
  const cwd = await produced()
  await writeFile(join(cwd, 'other.json'), JSON.stringify(healthy))
  expectFound(await doctor(cwd, ['--config', 'other.json']), 78, 'outbox-owner')
})

it('an outbox that a pipeline left behind when it was renamed', async () => {
  const named = (name: string): string => JSON.stringify({ ...healthy, pipelines: { [name]: {} } })
  const cwd = await folderOf({ ...healthy, pipelines: { hourly: {} } })
  expect((await owm(['produce', '--no-flush'], { cwd })).code).toBe(0)
  expectFound(await doctor(cwd), 75, 'outbox-pending', 'outbox-runs')
  await writeFile(join(cwd, '.owmrc.json'), named('each-hour'))
  expectFound(await doctor(cwd), 0, 'outbox-left-behind')
  await writeFile(join(cwd, '.owmrc.json'), named('hourly'))
  expect((await owm(['flush'], { cwd })).code).toBe(0)
  await writeFile(join(cwd, '.owmrc.json'), named('each-hour'))
  expectFound(await doctor(cwd), 0)
})

it('another journal mode; then a log that grows, since somebody reads on and on', async () => {
  const cwd = await produced()
  const sql = await other(cwd)
  await sql('PRAGMA journal_mode = DELETE')
  expectFound(await doctor(cwd), 0, 'outbox-journal')
  await sql('PRAGMA journal_mode = WAL')
  const reader = await other(cwd)
  await reader('BEGIN; SELECT * FROM state')
  await sql('CREATE TABLE big (x); INSERT INTO big VALUES (zeroblob(70000000))')
  expectFound(await doctor(cwd), 0, 'outbox-size')
})

const endless = `export default {
  kind: 'source', name: 'endless', description: 'waits', options: { safeParse: (data) => ({ success: true, data }) },
  open: () => ({ async *read() { yield await new Promise(() => undefined) } }),
}`

it('a lock that is held for days, by a run whose source hangs', async () => {
  const config = { ...healthy, source: { use: './endless.mjs' } }
  const cwd = await folderOf(config, { 'endless.mjs': endless })
  const hanging = startOwm(['produce'], { cwd, ...at('2026-11-21T10:00:00Z') })
  try {
    await until(async () => (await owm(['outbox', 'inspect'], { cwd })).stdout.includes('reading'))
    const late = await doctor(cwd, ['--set', 'source.timeoutMs=300'], at('2026-11-23T10:00:00Z'))
    expectFound(late, 75, 'outbox-lock', 'outbox-runs', 'source-answers')
    expect(late.json.checks.find(({ code }) => code === 'outbox-lock')?.found).toMatch(
      new RegExp(`held by owm produce, process ${hanging.child.pid} on .*, for 1 d 23 h|for 2 d`),
    )
    const soon = await doctor(cwd, ['--set', 'source.timeoutMs=300'], at('2026-11-21T11:30:00Z'))
    expectFound(soon, 75, 'source-answers')
  } finally {
    hanging.child.kill('SIGKILL')
    await hanging.ended
  }
  const killed = await doctor(cwd, ['--set', 'source.use=simulated-db'], at('2026-11-21T10:10:00Z'))
  expectFound(killed, 75, 'outbox-runs')
})

it('an open circuit, tasks that wait, a run that is not finished', async () => {
  const sink = { use: 'redis-stream', url: 'redis://127.0.0.1:1' }
  const config = { ...healthy, sink, retry: { attempts: 1 }, breaker: { failures: 1, resetAfterMs: 60_000 } }
  const cwd = await folderOf(config)
  expect((await owm(['produce'], { cwd, ...at('2026-11-23T10:00:00Z') })).code).toBe(75)
  const soon = await doctor(cwd, [], at('2026-11-23T10:00:30Z'))
  expectFound(soon, 75, 'outbox-circuit', 'outbox-pending', 'outbox-runs', 'redis-reachable')
  const late = await doctor(cwd, [], at('2026-11-23T12:00:00Z'))
  expectFound(late, 75, 'outbox-circuit', 'outbox-pending', 'outbox-runs', 'redis-reachable')
  // Of what has one exit code the cause is named: what waits in the outbox follows from it.
  expect(late.stdout).toContain('the worst is redis-reachable')
  expect(late.json.checks.find(({ code }) => code === 'outbox-circuit')?.found).toMatch(/half-open/)
})

const refusing = `export default {
  kind: 'sink', name: 'refusing', description: 'refuses', options: { safeParse: (data) => ({ success: true, data }) },
  open: () => ({ guarantee: 'at-least-once', deliver: async ({ tasks }) => tasks.map(() => ({ refused: 'no' })) }),
}`

it('dead letters', async () => {
  const cwd = await folderOf({ ...healthy, sink: { use: './refusing.mjs' } }, { 'refusing.mjs': refusing })
  expect((await owm(['produce'], { cwd })).code).toBe(75)
  const ran = await doctor(cwd)
  expectFound(ran, 75, 'outbox-dead')
  expect(ran.json).toMatchObject({ unknown: 1 }) // a sink without checks of its own
  await owm(['outbox', 'purge', '--dead', '--yes'], { cwd }) // what the finding says
  expectFound(await doctor(cwd), 0)
})

it('a folder for the outbox that is a file', async () => {
  const cwd = await folderOf({ ...healthy, outbox: { path: './file/outbox.db' } }, { file: '' })
  const ran = await doctor(cwd)
  expectFound(ran, 74, 'outbox-folder', 'outbox-readable')
  await rm(join(cwd, 'file'))
  await mkdir(join(cwd, 'file'))
  expectFound(await doctor(cwd), 0)
})
