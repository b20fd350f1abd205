/** Outboxes and other users: another user's files for root, and root's for others. */
import { execFile } from 'node:child_process'
import { chmod, chown, link, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { bin, folderWith, owm, owmJson, type Ran, root, startOwm, until } from '../support/cli.js'
import { describeWithStranger } from '../support/users.js'

const slot = ['--slot', '2026-11-23T10:00:00Z']
const later = ['--slot', '2026-11-23T11:00:00Z']
const crash = ['--import', join(root, 'test', 'support', 'crash.mjs')]

/** A folder in which everybody may create files, as in /tmp, with a configuration whose outbox is in it. */
async function shared(settings: object = {}, mode = 0o1777): Promise<string> {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 30 },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './shared/outbox.db' },
    flush: { batchSize: 5 },
    ...settings,
  })
  await chmod(cwd, 0o755)
  await mkdir(join(cwd, 'shared'))
  await chmod(join(cwd, 'shared'), mode)
  return cwd
}

const linesOf = async (cwd: string): Promise<string[]> =>
  (await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')).split('\n').filter(Boolean)

async function expectEachOnce(cwd: string, count: number): Promise<void> {
  const lines = await linesOf(cwd)
  expect(lines).toHaveLength(count)
  expect(new Set(lines).size).toBe(count)
}

function expectRefused(ran: Ran, message: RegExp): void {
  expect(ran, ran.stderr).toMatchObject({ code: 74 })
  expect(ran.stderr).toMatch(message)
}

/** Starts owm and stops it (SIGSTOP) at a step, does something, and lets it go on. */
async function interruptedAt(at: string, args: string[], cwd: string, meanwhile: () => Promise<unknown>): Promise<Ran> {
  const { child, ended } = startOwm(args, { cwd, node: crash, env: { OWM_CRASH_AT: at, OWM_CRASH_SIGNAL: 'SIGSTOP' } })
  await until(async () => {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', `${child.pid}`])
    return stdout.startsWith('T')
  })
  await meanwhile()
  child.kill('SIGCONT')
  return ended
}

describeWithStranger('files that another user puts beside an outbox', (stranger) => {
  const beside = ['-journal', '-wal', '-shm', '-lock', '-lock-journal', '-lock-wal', '-lock-shm']

  test.each(['', ...beside])('a file at outbox.db%s is not believed', async (ending) => {
    const cwd = await shared()
    // What SQLite would take for its own: a log and a journal of another outbox, with a task in them.
    await stranger().sh(`printf 'not yours' > shared/outbox.db${ending}`, cwd)
    expectRefused(await owm(['produce', ...slot], { cwd }), new RegExp(`outbox\\.db${ending} belongs to user`))
    const { code, stdout, stderr } = await owm(['config', 'check'], { cwd })
    expect(code).toBe(78)
    expect(stdout + stderr).toContain(`outbox.db${ending} belongs to user`)
    expect(await linesOf(cwd)).toEqual([])
    expect(await readFile(join(cwd, 'shared', `outbox.db${ending}`), 'utf8')).toBe('not yours')
    await rm(join(cwd, 'shared', `outbox.db${ending}`))
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    await expectEachOnce(cwd, 30)
  })

  test("a log of the stranger's own outbox beside root's: its task is not delivered", async () => {
    const cwd = await shared()
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    const config = {
      source: { use: 'static-list', locations: [{ city: 'Forged', latitude: 1, longitude: 2 }] },
      outbox: { path: 'outbox.db' },
      sink: { use: 'jsonl', path: 'x' },
    }
    await stranger().sh(`mkdir own && printf '%s' '${JSON.stringify(config)}' > own/.owmrc.json`)
    const own = (await stranger().sh('cd own && pwd')).trim()
    const killed = `cd own && OWM_CRASH_AT=intake:persisted node ${crash.join(' ')} ${join(root, 'bin', 'run.js')}`
    await stranger().sh(`${killed} produce --no-flush || true`)
    await stranger().sh(`cp ${own}/outbox.db-wal shared/outbox.db-wal`, cwd)
    for (const args of [['flush'], ['produce', ...later]])
      expectRefused(await owm(args, { cwd }), /outbox\.db-wal belongs to user \d+, not to user 0/)
    await rm(join(cwd, 'shared', 'outbox.db-wal'))
    expect(await owm(['produce', ...later], { cwd })).toMatchObject({ code: 0 })
    await expectEachOnce(cwd, 60)
    expect((await linesOf(cwd)).filter((line) => line.includes('Forged'))).toEqual([])
  })

  test.each(beside)('a named pipe at outbox.db%s hangs nobody', async (ending) => {
    const cwd = await shared()
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    await rm(join(cwd, 'shared', `outbox.db${ending}`), { force: true })
    await stranger().sh(`mkfifo shared/outbox.db${ending}`, cwd)
    for (const args of [['flush'], ['produce', ...later]])
      expectRefused(await owm(args, { cwd }), /isn't a regular file/)
    // Commands that only read check no lock.
    if (!ending.startsWith('-lock')) expectRefused(await owm(['outbox', 'inspect'], { cwd }), /isn't a regular file/)
  })

  test.each(['outbox:locked', 'migration:begun', 'migration:written'])(
    'links that are placed during the first start, at %s, are not written through',
    async (at) => {
      const cwd = await shared()
      const target = join(cwd, 'precious')
      await writeFile(target, '')
      const ran = await interruptedAt(at, ['produce', ...slot], cwd, async () => {
        for (const ending of ['', '-journal', '-wal', '-shm', '-lock-journal'])
          await stranger().sh(`ln -s '${target}' shared/outbox.db${ending}`, cwd)
      })
      expect((await lstat(target)).size).toBe(0)
      expectRefused(ran, /symbolic link/)
      expect(await linesOf(cwd)).toEqual([])
    },
  )
})

describeWithStranger('folders', (stranger) => {
  test('where everybody may replace files: refused, unless they are trusted', async () => {
    const cwd = await shared({}, 0o777)
    const checked = await owm(['config', 'check'], { cwd })
    expect(checked).toMatchObject({ code: 78, stdout: expect.stringMatching(/everybody may replace files/) })
    expectRefused(await owm(['produce', ...slot], { cwd }), /--trust-folder/)
    expect(await readdir(join(cwd, 'shared'))).toEqual([])
    expect(await owm(['produce', ...slot, '--trust-folder'], { cwd })).toMatchObject({ code: 0 })
    expect(await owm(['produce', ...later], { cwd, env: { OWM_TRUST_FOLDER: '1' } })).toMatchObject({ code: 0 })
    await expectEachOnce(cwd, 60)
    // A group is fine, and so is a sticky folder.
    for (const mode of [0o775, 0o1777]) {
      await chmod(join(cwd, 'shared'), mode)
      expect(await owm(['flush'], { cwd })).toMatchObject({ code: 0 })
    }
  })

  test('of another user: refused, unless it is trusted', async () => {
    const cwd = await shared({}, 0o755)
    await chown(join(cwd, 'shared'), stranger().uid, stranger().uid)
    expectRefused(await owm(['produce', ...slot], { cwd }), /folder belongs to user \d+/)
    expect(await owm(['produce', ...slot, '--trust-folder'], { cwd })).toMatchObject({ code: 0 })
  })

  test('a file that another user has already: the error names a place that works', async () => {
    const cwd = await shared()
    await stranger().sh('touch shared/outbox.db', cwd)
    const env = { XDG_STATE_HOME: join(cwd, 'state') }
    const refused = await owm(['produce', ...slot], { cwd, env })
    expectRefused(refused, /belongs to user/)
    const [, place = ''] = /such as (\S+)\./.exec(refused.stderr) ?? []
    expect(place).toContain(env.XDG_STATE_HOME)
    expect(await owm(['produce', ...slot, '--outbox', place], { cwd, env })).toMatchObject({ code: 0 })
  })
})

describeWithStranger("another user's outbox", (stranger) => {
  const inspect = async (ran: Promise<Ran>): Promise<InspectResult> => {
    const { code, stdout, stderr } = await ran
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return JSON.parse(stdout)
  }

  test('is not written to, and the error says whom to ask for access', async () => {
    const cwd = await shared()
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    for (const args of [['produce', ...later], ['flush'], ['outbox', 'inspect']])
      expectRefused(await stranger().owm(args, cwd), /sudo -u '#0' owm/)
    await expectEachOnce(cwd, 30)
  })

  test('can be inspected by whoever may read it: at rest, and while a killed process has left its log', async () => {
    const cwd = await shared()
    const folder = join(cwd, 'shared')
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    await chmod(join(folder, 'outbox.db'), 0o644)
    const files = await readdir(folder)
    const atRest = await inspect(stranger().owm(['outbox', 'inspect', '--json'], cwd))
    expect(atRest).toMatchObject({ totals: { pending: 0 }, runs: [{ delivered: 30 }] })
    expect(await readdir(folder)).toEqual(files)

    const env = { OWM_CRASH_AT: 'intake:persisted' }
    await startOwm(['produce', ...later, '--no-flush'], { cwd, node: crash, env }).ended
    const left = await readdir(folder)
    expect(left).toContain('outbox.db-shm')
    for (const ending of ['-wal', '-shm']) await chmod(join(folder, `outbox.db${ending}`), 0o644)
    const before = await Promise.all(left.map((name) => readFile(join(folder, name))))
    const killed = await inspect(stranger().owm(['outbox', 'inspect', '--json'], cwd))
    expect(killed.totals.pending).toBeGreaterThan(0)
    // The index of an older log, as when a process is killed just as it begins a new one.
    const log = before[left.indexOf('outbox.db-wal')] ?? Buffer.alloc(0)
    const begun = Buffer.from(log.subarray(0, 32)).fill(7, 16, 24)
    await writeFile(join(folder, 'outbox.db-wal'), begun)
    expect((await inspect(stranger().owm(['outbox', 'inspect', '--json'], cwd))).runs).toHaveLength(1)
    await writeFile(join(folder, 'outbox.db-wal'), log)
    // A log without its index, as in a backup: SQLite would make one.
    await rm(join(folder, 'outbox.db-shm'))
    expect(await inspect(stranger().owm(['outbox', 'inspect', '--json'], cwd))).toEqual(killed)
    expect(await readdir(folder)).toEqual(left.filter((name) => name !== 'outbox.db-shm'))
    for (const [index, name] of left.entries())
      if (name !== 'outbox.db-shm') expect(await readFile(join(folder, name))).toEqual(before[index])
  })

  test("root looks at a user's outbox and leaves nothing of its own beside it", async () => {
    const cwd = await shared()
    await chown(cwd, stranger().uid, stranger().uid)
    expect(await stranger().owm(['produce', ...slot], cwd)).toMatchObject({ code: 0 })
    const folder = join(cwd, 'shared')
    const files = await readdir(folder)
    const { json, code } = await owmJson<InspectResult>(['outbox', 'inspect', '--trust-config'], { cwd })
    expect({ code, runs: json.runs }).toMatchObject({ code: 0, runs: [{ delivered: 30 }] })
    expect(await readdir(folder)).toEqual(files)
    for (const name of files) expect((await lstat(join(folder, name))).uid).toBe(stranger().uid)
  })
})

describe('another name for the file', () => {
  test('a hard link is refused, before and during a run', async () => {
    const cwd = await shared()
    const path = join(cwd, 'shared', 'outbox.db')
    const other = join(cwd, 'other.db')
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    await link(path, other)
    for (const args of [['produce', ...later], ['flush'], ['flush', '--outbox', other], ['outbox', 'inspect']])
      expectRefused(await owm(args, { cwd }), /2 names \(hard links\)/)
    await rm(other)
    const ran = await interruptedAt('batch:answered:2', ['produce', ...later], cwd, () => link(path, other))
    expectRefused(ran, /was moved, replaced or linked/)
    await rm(other)
    expect(await owm(['produce', ...later], { cwd })).toMatchObject({ code: 0 })
    // The sink has no fence: what was under way when the run stopped comes twice.
    expect(new Set(await linesOf(cwd)).size).toBe(60)
  })

  test('a file that is moved during a run is noticed, and what it holds is kept', async () => {
    const cwd = await shared()
    const path = join(cwd, 'shared', 'outbox.db')
    const away = join(cwd, 'away.db')
    const ran = await interruptedAt('batch:answered:2', ['produce', ...slot], cwd, () => rename(path, away))
    expectRefused(ran, /was moved, replaced or linked/)
    expectRefused(await owm(['flush'], { cwd }), /no outbox|isn't there/)
    await rename(away, path)
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    expect(new Set(await linesOf(cwd)).size).toBe(30)
  })
})

describeWithStranger("rights of the outbox's folder that change during a run", (stranger) => {
  test.each(['000', '444', '500'])(
    'mode %s: what stops the outbox is reported as its trouble, at once',
    async (mode) => {
      const cwd = await shared()
      await chown(cwd, stranger().uid, stranger().uid)
      await chown(join(cwd, 'shared'), stranger().uid, stranger().uid)
      const started = `OWM_CRASH_AT=batch:answered:2 OWM_CRASH_SIGNAL=SIGSTOP '${process.execPath}' ${crash.join(' ')}`
      const said = await stranger().sh(
        `${started} '${bin}' produce ${slot.join(' ')} > said 2>&1 & pid=$!
       until ps -o stat= -p $pid | grep -q ^T; do sleep 0.05; done
       chmod ${mode} shared; kill -CONT $pid; wait $pid || echo "exit $?"; chmod 700 shared; cat said`,
        cwd,
      )
      // A folder that can still be read takes no new files: SQLite needs none.
      if (mode !== '500') {
        expect(said).toMatch(/^exit 74\n/)
        expect(said).toMatch(/^owm: The outbox \S+outbox\.db can't be used: access is denied \(EACCES\)\.$/m)
        expect(said).not.toMatch(/tried again|fault of owm/)
      } else expect(said).toMatch(/^slot \S+: 30 locations read, 30 tasks delivered/)
      expect(await stranger().owm(['produce', ...slot], cwd)).toMatchObject({ code: 0 })
      // The sink has no fence: what was under way when the run stopped comes twice.
      expect(new Set(await linesOf(cwd)).size).toBe(30)
    },
  )
})

describe('a missing outbox', () => {
  test.each([['flush'], ['outbox', 'retry', '--all'], ['outbox', 'purge']])(
    'is an error of `owm %s %s`, which makes nothing',
    async (...args) => {
      const cwd = await shared()
      const command = args.filter((arg) => arg !== undefined)
      expectRefused(await owm(command, { cwd }), /There is no outbox .*outbox\.db/)
      const far = join(cwd, 'no', 'such', 'folder', 'outbox.db')
      expectRefused(await owm([...command, '--outbox', far], { cwd }), /There is no outbox/)
      expect(await readdir(join(cwd, 'shared'))).toEqual([])
      expect(await readdir(cwd)).not.toContain('no')
      // As if another owm were about to make it.
      await writeFile(join(cwd, 'shared', 'outbox.db-lock'), '')
      expectRefused(await owm(command, { cwd }), /There is no outbox .*outbox\.db/)
      expect(await readdir(join(cwd, 'shared'))).toEqual(['outbox.db-lock'])
    },
  )

  test('is made by `owm produce`, which says so, with its folder', async () => {
    const cwd = await shared()
    const far = join(cwd, 'state', 'owm', 'outbox.db')
    const first = await owm(['produce', ...slot, '--outbox', far], { cwd })
    expect(first, first.stderr).toMatchObject({ code: 0 })
    expect(first.stdout).toContain(`the outbox ${far} is new`)
    const again = await owm(['produce', ...later, '--outbox', far], { cwd })
    expect(again.stdout).not.toContain('is new')
  })

  test('whose log is still there is not created again: what was pending is kept', async () => {
    const cwd = await shared()
    const path = join(cwd, 'shared', 'outbox.db')
    const env = { OWM_CRASH_AT: 'reading:ended' }
    await startOwm(['produce', ...slot, '--no-flush'], { cwd, node: crash, env }).ended
    const log = await readFile(`${path}-wal`)
    expect(log.length).toBeGreaterThan(0)
    await rename(path, join(cwd, 'away.db'))
    for (const args of [['flush'], ['produce', ...later], ['outbox', 'inspect'], ['outbox', 'purge']])
      expectRefused(await owm(args, { cwd }), /outbox\.db-wal is, with what was written last/)
    await writeFile(path, '', { mode: 0o600 }) // `touch` is no way around it
    expectRefused(await owm(['produce', ...later], { cwd }), /outbox\.db-wal is/)
    expect(await readFile(`${path}-wal`)).toEqual(log)
    await rename(join(cwd, 'away.db'), path)
    expect(await owm(['produce', ...slot], { cwd })).toMatchObject({ code: 0 })
    await expectEachOnce(cwd, 30)
  })
})

describe('two owm on one outbox, after its lock file was removed', () => {
  const lockOf = (cwd: string): string => join(cwd, 'shared', 'outbox.db-lock')

  test('the one that was there stops before it sends anything more', async () => {
    const cwd = await shared()
    let second: Ran | undefined
    // All is stored before, so that the stopped process holds no transaction.
    expect(await owm(['produce', ...slot, '--no-flush'], { cwd })).toMatchObject({ code: 0 })
    const first = await interruptedAt('batch:answered:2', ['flush'], cwd, async () => {
      await rm(lockOf(cwd))
      second = await owm(['produce', ...slot], { cwd })
    })
    expect(second).toMatchObject({ code: 0 })
    expect(first, first.stderr).toMatchObject({ code: 75 })
    expect(first.stderr).toMatch(/Another owm has taken over/)
    // The batch of 5 that was answered and not acknowledged comes again: the sink has no fence.
    const lines = await linesOf(cwd)
    expect(new Set(lines).size).toBe(30)
    expect(lines).toHaveLength(35)
  })

  test('the one that is about to send stops: its batch is not there twice', async () => {
    const cwd = await shared()
    let second: Ran | undefined
    expect(await owm(['produce', ...slot, '--no-flush'], { cwd })).toMatchObject({ code: 0 })
    const first = await interruptedAt('batch:loaded:3', ['flush'], cwd, async () => {
      await rm(lockOf(cwd))
      second = await owm(['flush'], { cwd })
    })
    expect(second).toMatchObject({ code: 0 })
    expect(first, first.stderr).toMatchObject({ code: 75 })
    await expectEachOnce(cwd, 30)
  })

  test('the one that was there stops before it writes anything more', async () => {
    const cwd = await shared()
    let second: Ran | undefined
    const first = await interruptedAt('intake:read', ['produce', ...slot, '--no-flush'], cwd, async () => {
      await rm(lockOf(cwd))
      second = await owm(['produce', ...slot], { cwd })
    })
    expect(second).toMatchObject({ code: 0 })
    expect(first, first.stderr).toMatchObject({ code: 75 })
    await expectEachOnce(cwd, 30)
    const { json } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
    expect(json).toMatchObject({ totals: { pending: 0 }, runs: [{ state: 'done', persisted: 30, delivered: 30 }] })
  })
})
