/** An outbox serves one owner: a pipeline, by its name, or a configuration, by its path. */
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DoctorResult } from '../../src/commands/doctor.js'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { base, jsonl, list, slot, startAndStopAt, tasksIn, untilStopped } from '../cli/scene.js'
import { folderWith, owm, owmJson, type Ran, temporaryFolder } from '../support/cli.js'
import { openDatabase } from '../support/contents.js'

const produce = (cwd: string, ...args: string[]): Promise<Ran> => owm(['produce', '--slot', slot, ...args], { cwd })

const later = '2026-11-23T11:00:00Z'
const produceLater = (cwd: string, ...args: string[]): Promise<Ran> =>
  owm(['produce', '--slot', later, ...args], { cwd })

const places = (count: number, country: string): object =>
  list(...Array.from({ length: count }, (_, id) => ({ id, city: `${country} ${id}`, latitude: 1, longitude: 2 })))

/** Two projects that name the same outbox. */
async function twoProjects(): Promise<{ a: string; b: string; path: string }> {
  const path = join(await temporaryFolder(), 'o.db')
  const [a, b] = await Promise.all(
    ['A', 'B'].map((name) => folderWith({ ...base, source: places(120, name), outbox: { path } })),
  )
  return { a: a ?? '', b: b ?? '', path }
}

async function expectForeign(run: Promise<Ran>, owner: string): Promise<void> {
  const { code, stderr } = await run
  expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining(`belongs to ${owner}, not to`) })
  expect(stderr).toContain('owm outbox adopt --owner')
}

const ownerIn = async (cwd: string, ...args: string[]): Promise<string | null> =>
  (await owmJson<InspectResult>(['outbox', 'inspect', ...args], { cwd })).json.owner

describe("another configuration's outbox", () => {
  it('is refused, whatever would have counted as a duplicate; with one of its own all places arrive', async () => {
    const { a, b } = await twoProjects()
    expect((await produce(a)).code).toBe(0)
    const owner = join(a, '.owmrc.json')
    const tidying = ['outbox purge', 'outbox retry --all', 'outbox discard --pending', 'outbox discard --run 1 -n']
    for (const command of ['produce', 'produce --dry-run', 'flush', 'flush --dry-run', ...tidying])
      await expectForeign(owm(command.split(' '), { cwd: b }), owner)
    // Receipts under another name aren't found, and no start would serve what is due.
    await expectForeign(owm(['verify'], { cwd: b }), owner)
    expect((await owm([], { cwd: b })).stdout).toMatch(/owm doctor .*belongs to/)
    const checked = await owm(['config', 'check'], { cwd: b })
    expect(checked).toMatchObject({ code: 78, stdout: expect.stringContaining(`belongs to ${owner}, not to`) })
    expect((await produce(b, '--outbox', join(b, 'own.db'))).code).toBe(0)
    expect(await tasksIn(b)).toHaveLength(120)
  })

  it('is refused also with a run that was killed: it is finished by its own source', async () => {
    const { a, b } = await twoProjects()
    const { child, ended } = startAndStopAt('intake:persisted', ['produce', '--slot', slot], a)
    await untilStopped(child.pid)
    child.kill('SIGKILL')
    await ended
    await expectForeign(owm(['produce'], { cwd: b }), join(a, '.owmrc.json'))
    expect((await produce(a)).code).toBe(0)
    expect(new Set((await tasksIn(a)).map(({ city }) => city)).size).toBe(120)
  })

  it('is inspected by anybody, with its owner shown; tidied up by anybody who names the file', async () => {
    const { a, b, path } = await twoProjects()
    await produce(a)
    expect(await ownerIn(b)).toBe(join(a, '.owmrc.json'))
    expect((await owm(['outbox', 'inspect'], { cwd: b })).stdout).toContain(`outbox ${path}, of ${a}`)
    expect(await owm(['outbox', 'purge', '--outbox', path], { cwd: b })).toMatchObject({ code: 0 })
    expect(await ownerIn(b)).toBe(join(a, '.owmrc.json'))
  })
})

describe('the owner', () => {
  it('is the pipeline, by its name, wherever its file is', async () => {
    const outbox = { path: join(await temporaryFolder(), 'o.db') }
    const pipelines = { hourly: { outbox }, daily: {} }
    const [a, b] = [await folderWith({ ...base, pipelines }), await folderWith({ ...base, pipelines })]
    expect((await produce(a, '--pipeline', 'hourly')).code).toBe(0)
    expect((await produceLater(b, '--pipeline', 'hourly')).code).toBe(0)
    expect(await ownerIn(b, '--pipeline', 'hourly')).toBe('hourly')
    await expectForeign(produce(b, '--pipeline', 'daily', '--outbox', outbox.path), 'hourly')
  })

  it('is the working directory without a configuration file', async () => {
    const [cwd, other] = [await temporaryFolder(), await temporaryFolder()]
    const args = ['--source', 'simulated-db', '--sink', 'jsonl', '--set', 'sink.path=t.jsonl', '--outbox']
    expect((await produce(cwd, ...args, 'o.db')).code).toBe(0)
    await expectForeign(produce(other, ...args, join(cwd, 'o.db')), cwd)
  })

  it('stays the same where its options are edited', async () => {
    const cwd = await folderWith(base)
    expect((await produce(cwd)).code).toBe(0)
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...base, source: places(3, 'C'), retry: {} }))
    expect((await owm(['produce'], { cwd })).code).toBe(0)
  })

  it("is the file's path as it was named: what its links lead to may change, as in a ConfigMap", async () => {
    const mount = await temporaryFolder()
    const publish = async (version: string, count: number): Promise<void> => {
      await mkdir(join(mount, version))
      const config = { ...base, source: places(count, 'D'), sink: { ...jsonl, path: join(mount, 'tasks.jsonl') } }
      await writeFile(join(mount, version, '.owmrc.json'), JSON.stringify(config))
      await symlink(version, join(mount, '..new'))
      await rename(join(mount, '..new'), join(mount, '..data'))
    }
    await publish('..1', 2)
    await symlink(join('..data', '.owmrc.json'), join(mount, '.owmrc.json'))
    const args = ['--config', join(mount, '.owmrc.json'), '--outbox', join(mount, 'o.db')]
    expect((await produce(mount, ...args)).code).toBe(0)
    await publish('..2', 3)
    expect((await produce(mount, ...args)).code).toBe(0)
    expect((await produce(mount, '--outbox', join(mount, 'o.db'))).code).toBe(0)
    expect(await tasksIn(mount)).toHaveLength(3)
  })

  it('is the working directory as the shell entered it, where a link to a release leads there', async () => {
    const app = await temporaryFolder()
    const release = async (name: string, at: string): Promise<Ran> => {
      await mkdir(join(app, name))
      await writeFile(join(app, name, '.owmrc.json'), JSON.stringify({ ...base, outbox: { path: join(app, 'o.db') } }))
      await rm(join(app, 'current'), { force: true })
      await symlink(name, join(app, 'current'))
      const PWD = join(app, 'current')
      return owm(['produce', '--slot', at], { cwd: PWD, env: { PWD } })
    }
    expect((await release('1', slot)).code).toBe(0)
    expect((await release('2', later)).code).toBe(0)
    await expectForeign(produce(join(app, '2')), join(app, 'current', '.owmrc.json'))
  })
})

describe('an outbox', () => {
  it("that nobody has claimed, as older versions made it, becomes the next start's", async () => {
    const { a, b, path } = await twoProjects()
    await produce(a)
    const database = await openDatabase(path)
    await database('UPDATE state SET owner = NULL')
    await database.close()
    expect((await owm(['outbox', 'purge'], { cwd: a })).code).toBe(0)
    expect(await ownerIn(b)).toBeNull()
    expect((await produceLater(b, '--no-flush')).code).toBe(0)
    expect(await ownerIn(a)).toBe(join(b, '.owmrc.json'))
    await expectForeign(produce(a), join(b, '.owmrc.json'))
  })

  it('is adopted where its configuration was moved', async () => {
    const cwd = await folderWith(base)
    expect((await produce(cwd, '--no-flush')).code).toBe(0)
    await rename(join(cwd, '.owmrc.json'), join(cwd, '.owmrc.yaml'))
    const [before, now] = [join(cwd, '.owmrc.json'), join(cwd, '.owmrc.yaml')]
    await expectForeign(owm(['flush'], { cwd }), before)
    expect(await owm(['outbox', 'adopt'], { cwd })).toMatchObject({ code: 2 })
    const { code, json } = await owmJson(['outbox', 'adopt', '--owner'], { cwd })
    expect({ code, json }).toEqual({ code: 0, json: { outbox: { path: join(cwd, 'o.db') }, owner: { before, now } } })
    expect(await owm(['flush'], { cwd })).toMatchObject({ code: 0 })
    expect(await tasksIn(cwd)).toHaveLength(20)
    expect((await owm(['outbox', 'adopt', '--owner'], { cwd })).stdout).toContain(`is that of ${now} already`)
  })

  it('that is not there is not made by adopting it', async () => {
    expect(await owm(['outbox', 'adopt', '--owner'], { cwd: await folderWith(base) })).toMatchObject({ code: 74 })
  })
})

describe('a pipeline that was renamed', () => {
  const called = (...names: string[]): string =>
    JSON.stringify({ ...base, pipelines: Object.fromEntries(names.map((name) => [name, {}])) })
  const leftIn = async (cwd: string): Promise<string[]> =>
    (await owmJson<DoctorResult>(['doctor'], { cwd })).json.checks.flatMap(({ code, verdict, found }) =>
      code === 'outbox-left-behind' && verdict === 'wrong' ? [found] : [],
    )

  it('hears of the tasks that it left behind, and continues with them', async () => {
    const cwd = await folderWith(base)
    const call = (...names: string[]): Promise<void> => writeFile(join(cwd, '.owmrc.json'), called(...names))
    await call('hourly')
    expect((await produce(cwd, '--no-flush')).code).toBe(0)
    expect(await leftIn(cwd)).toEqual([])
    await call('each-hour')
    const old = join(cwd, 'o-hourly.db')
    const found = `${old}, of hourly, has 20 pending tasks and 1 unfinished run`
    expect(await leftIn(cwd)).toEqual([found])
    const ran = await produceLater(cwd, '-q')
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining(`warning: the outbox ${found}`) })
    expect((await produceLater(cwd, '-q')).stderr).toBe('')
    const now = join(cwd, 'o-each-hour.db')
    await rename(now, join(cwd, 'away.db'))
    await rename(old, now)
    expect((await owm(['outbox', 'adopt', '--owner'], { cwd })).code).toBe(0)
    expect(await leftIn(cwd)).toEqual([])
    expect((await owm(['flush'], { cwd })).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(40)
  })

  it("isn't told of other pipelines' outboxes, nor stopped by what can't be read", async () => {
    const cwd = await folderWith(base)
    await writeFile(join(cwd, '.owmrc.json'), called('hourly', 'daily'))
    expect((await produce(cwd, '--pipeline', 'hourly', '--no-flush')).code).toBe(0)
    await writeFile(join(cwd, 'o-damaged.db'), 'SQLite format 3\0'.padEnd(4_096, 'x'))
    await mkdir(join(cwd, 'o-folder.db'))
    await symlink('/dev/zero', join(cwd, 'o-link.db'))
    expect(await produce(cwd, '--pipeline', 'daily', '-q')).toMatchObject({ code: 0, stderr: '' })
    expect(await leftIn(cwd)).toEqual([])
  })
})

describe('owm init', () => {
  it.each(['XDG_STATE_HOME', 'HOME'])(
    "gives each folder an outbox of its own in the user's state: %s",
    async (name) => {
      const state = await temporaryFolder()
      const paths = await Promise.all(
        ['a', 'b $HOME'].map(async (project) => {
          const cwd = join(await temporaryFolder(), project)
          await mkdir(cwd)
          const env = { HOME: state, [name]: state }
          expect((await owm(['init'], { cwd, env })).code).toBe(0)
          expect(await readFile(join(cwd, '.owmrc.yaml'), 'utf8')).not.toContain('owm_producer_tasks')
          const ran = await owm(['produce', '--sink', 'jsonl', '--set', 'sink.path=t.jsonl'], { cwd, env })
          expect(ran).toMatchObject({ code: 0 })
          return (await owmJson<InspectResult>(['outbox', 'inspect'], { cwd, env })).json.path ?? ''
        }),
      )
      const folder = name === 'HOME' ? join(state, '.local', 'state') : state
      for (const path of paths) expect(path.startsWith(join(folder, 'owm'))).toBe(true)
      expect(new Set(paths).size).toBe(2)
    },
  )
})
