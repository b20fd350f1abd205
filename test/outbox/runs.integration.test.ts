/** The ledger after failed starts, after slots were deleted, and with two pipelines of the same ids. */
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import { base, type Counts, deadSink, jsonl, list, slot, tasksIn } from '../cli/scene.js'
import { folderWith, owm, owmJson, type Ran } from '../support/cli.js'

const source = { use: './source.mjs' }

/** A folder whose source fails until the file `up` is there; in between it gives `first` locations and then fails. */
async function folderWithFailingSource(places: number, first = 0, given: object = {}): Promise<string> {
  const cwd = await folderWith({ ...base, source: { ...source, ...given } })
  await writeFile(
    join(cwd, 'source.mjs'),
    `import { existsSync } from 'node:fs'
    import { defineSource, TransientError, z } from 'owm-producer'
    export default defineSource({
      name: 'mine', description: 'mine', options: z.looseObject({}),
      open(_, { baseDir }) {
        const isUp = existsSync(baseDir + '/up')
        if (!isUp && ${first} === 0) throw new TransientError('it is down')
        return {
          async *read(resume) {
            for (let at = Number(resume ?? 0); at < ${places}; at += 10) {
              if (!isUp && at >= ${first}) throw new TransientError('it is down')
              yield {
                locations: Array.from({ length: 10 }, (_, index) => (
                  { id: at + index, city: 'City ' + (at + index), latitude: 1, longitude: 2 })),
                resume: String(at + 10), position: (index) => 'row ' + (at + index),
              }
            }
          },
        }
      },
    })\n`,
  )
  return cwd
}

const isUp = (cwd: string): Promise<void> => writeFile(join(cwd, 'up'), '')

const runsIn = async (cwd: string): Promise<InspectResult['runs']> =>
  (await owmJson<InspectResult>(['outbox', 'inspect', '--limit', '100'], { cwd })).json.runs

const states = async (cwd: string): Promise<string[]> => (await runsIn(cwd)).map(({ state }) => state)

async function failing(times: number, cwd: string, ...args: string[]): Promise<void> {
  for (let time = 0; time < times; time++) expect((await owm(['produce', ...args], { cwd })).code).toBe(75)
}

describe('starts that fail', () => {
  it('pile up no work if their slots were not named: the next good one replaces them', async () => {
    const cwd = await folderWithFailingSource(100)
    await failing(11, cwd)
    await isUp(cwd)
    const { code, stderr } = await owm(['produce'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('1 earlier start had stored nothing and is closed as missed')
    expect(stderr).not.toContain('MaxListeners')
    expect(await tasksIn(cwd)).toHaveLength(100)
    expect(await states(cwd)).toEqual(['done', ...Array.from({ length: 11 }, () => 'missed')])
  })

  it('nor does a package that is missing', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 50 } })
    const sql = ['--source', 'sql', '--set', 'source.url=postgres://u@127.0.0.1:1/d', '--set', 'source.table=t']
    for (let time = 0; time < 3; time++)
      expect((await owm(['produce', ...sql, '--set', 'source.key=id'], { cwd })).code).not.toBe(0)
    expect((await owm(['produce'], { cwd })).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(50)
  })

  it.each([
    ['--slot', (hour: string) => ({ args: ['--slot', hour], env: {} })],
    ['OWM_SLOT', (hour: string) => ({ args: [], env: { OWM_SLOT: hour } })],
  ])('are finished, each under its slot, where %s named it, and the summary names them all', async (_, named) => {
    const cwd = await folderWithFailingSource(20)
    const hours = Array.from({ length: 12 }, (_, hour) => `2026-11-23T${String(hour).padStart(2, '0')}:00:00Z`)
    const start = (hour: string): Promise<Ran> => {
      const { args, env } = named(hour)
      return owm(['produce', ...args], { cwd, env })
    }
    for (const hour of hours.slice(0, -1)) expect((await start(hour)).code).toBe(75)
    await isUp(cwd)
    const { code, stdout, stderr } = await start(hours.at(-1) ?? '')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const hour of hours) expect(stdout).toContain(hour)
    expect(new Set((await tasksIn(cwd)).map(({ task_id }) => task_id)).size).toBe(12 * 20)
    expect(await states(cwd)).toEqual(hours.map(() => 'done'))
  })

  it('are finished, once they have stored something, even if their slots were not named', async () => {
    const cwd = await folderWithFailingSource(40, 20)
    await failing(2, cwd)
    await isUp(cwd)
    const { json } = await owmJson<{ served: { slot: string }[] }>(['produce'], { cwd })
    expect(json.served).toHaveLength(3)
    expect(await states(cwd)).toEqual(['done', 'done', 'done'])
    expect(new Set((await tasksIn(cwd)).map(({ task_id }) => task_id)).size).toBe(3 * 40)
  })

  it('leave nothing to another shard, either', async () => {
    const cwd = await folderWithFailingSource(40)
    await failing(2, cwd, '--shard', '0/2')
    await isUp(cwd)
    expect((await owm(['produce', '--shard', '1/2'], { cwd })).code).toBe(0)
    expect((await owm(['produce', '--shard', '0/2'], { cwd })).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(40)
  })
})

it('an interrupted run is finished as it began: so each command names it for another shard', async () => {
  const cwd = await folderWithFailingSource(40, 20)
  await failing(1, cwd, '--slot', slot)
  await isUp(cwd)
  const shard = ['--set', 'source.shard=0/3']
  const todo = ['produce', '--slot', slot, '--shard', '0/1']
  const named = `\`owm ${todo.join(' ')}\``
  for (const args of [['produce'], ['verify'], ['doctor'], ['runs', 'show', slot]]) {
    const { stdout, stderr } = await owm([...args, ...shard], { cwd })
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toContain(named)
  }
  expect((await owm([...todo, ...shard], { cwd })).code).toBe(0)
  expect(await tasksIn(cwd)).toHaveLength(40)
})

describe('an empty slot', () => {
  it('is none: Kubernetes gives it to a job that is started by hand', async () => {
    const cwd = await folderWith(base)
    for (const args of [['produce'], ['produce', '--slot', '']])
      expect((await owm(args, { cwd, env: { OWM_SLOT: '' } })).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(40)
  })
})

describe('a slot of which the ledger has deleted all', () => {
  const keep = { ...base, outbox: { ...base.outbox, keepTasks: 0, keepRuns: 1 } }
  const at = (hour: number, cwd: string, ...args: string[]): Promise<Ran> =>
    owm(['produce', '--slot', `2026-11-23T1${hour}:00:00Z`, ...args], { cwd })

  it('is refused, and so are older ones; newer ones are not, and --again takes them all', async () => {
    const cwd = await folderWith(keep)
    for (const hour of [1, 2, 3, 4]) expect((await at(hour, cwd)).code).toBe(0)
    expect((await runsIn(cwd)).map((run) => run.slot)).not.toContain('2026-11-23T12:00:00Z')
    for (const hour of [0, 1, 2]) {
      const { code, stderr } = await at(hour, cwd)
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--again') })
    }
    expect(await tasksIn(cwd)).toHaveLength(80)
    expect((await at(5, cwd)).code).toBe(0)
    expect((await at(0, cwd, '--again')).code).toBe(0)
    expect(await tasksIn(cwd)).toHaveLength(120)
  })

  it('is known as deleted also after later runs were deleted in another order', async () => {
    const cwd = await folderWith(keep)
    for (const hour of [5, 2, 6, 7, 8]) expect((await at(hour, cwd)).code).toBe(0)
    for (const hour of [5, 4, 2]) expect((await at(hour, cwd)).code).toBe(2)
  })
})

describe('two pipelines with the same ids on one stream', () => {
  const numbered = (country: string): object =>
    list(...[1, 2, 3].map((id) => ({ id, city: `${country} ${id}`, latitude: id, longitude: 2 })))
  const pipelines = { north: { source: numbered('N') }, south: { source: numbered('S') } }
  const config = { sink: jsonl, outbox: base.outbox, pipelines }
  const ids = async (cwd: string): Promise<number> => {
    for (const pipeline of ['north', 'south'])
      expect((await owm(['produce', '--slot', slot, '--pipeline', pipeline], { cwd })).code).toBe(0)
    return new Set((await tasksIn(cwd)).map(({ task_id }) => task_id)).size
  }
  const check = async (cwd: string): Promise<string> => {
    const { code, stdout } = await owm(['config', 'check'], { cwd })
    expect(code).toBe(0)
    return stdout
  }

  it('give the same task ids, which `owm config check` warns of', async () => {
    const cwd = await folderWith(config)
    expect(await ids(cwd)).toBe(3)
    expect(await check(cwd)).toMatch(/^warn .*north and south.*taskNamespace/m)
  })

  it.each([
    [
      'a taskNamespace of their own',
      { ...config, pipelines: { ...pipelines, south: { ...pipelines.south, taskNamespace: 's' } } },
    ],
    ['that of their names', { ...config, taskNamespace: 'pipeline' }],
  ])('give others with %s, and nobody warns', async (_, given) => {
    const cwd = await folderWith(given)
    expect(await ids(cwd)).toBe(6)
    expect(await check(cwd)).not.toContain('warn')
  })

  it('keep the ids of a slot that was begun without one', async () => {
    const cwd = await folderWith({ ...base, source: numbered('N') })
    const named = ['produce', '--slot', slot, '--set', 'taskNamespace=n']
    expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
    const { code, stderr } = await owm(named, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('keeps the taskNamespace') })
    expect(await tasksIn(cwd)).toHaveLength(3)
  })

  it('need a name where the word is `pipeline`', async () => {
    const cwd = await folderWith({ ...base, taskNamespace: 'pipeline' })
    expect(await owm(['produce'], { cwd })).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('taskNamespace'),
    })
  })
})

describe('another list for a slot that is served', () => {
  const numbered = (country: string, count: number): object =>
    list(...Array.from({ length: count }, (_, id) => ({ id, city: `${country} ${id}`, latitude: 1, longitude: 2 })))

  async function served(next: object): Promise<{ cwd: string; ran: Ran & { json: Counts } }> {
    const cwd = await folderWith({ ...base, source: numbered('A', 5) })
    expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
    await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ ...base, source: next }))
    return { cwd, ran: await owmJson<Counts>(['produce', '--slot', slot], { cwd }) }
  }

  it('is a conflict, not duplicates', async () => {
    const { cwd, ran } = await served(numbered('B', 5))
    expect(ran).toMatchObject({ code: 65, json: { source: { read: 5, rejected: 5, duplicates: 0 } } })
    expect(ran.json.error?.message).toContain(slot)
    expect(ran.stderr).toContain('another place')
    expect((await tasksIn(cwd)).every(({ city }) => city.startsWith('A'))).toBe(true)
    expect((await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd })).code).toBe(0)
  })

  it('is reported even if only some of its ids are taken', async () => {
    const { cwd, ran } = await served(numbered('B', 7))
    expect(ran).toMatchObject({ code: 65, json: { source: { read: 7, rejected: 5 }, sink: { delivered: 2 } } })
    expect(await tasksIn(cwd)).toHaveLength(7)
  })

  it.each([
    [list(), 5, 0],
    [numbered('A', 3), 2, 0],
    // A duplicate doesn't make up for another one.
    [list({ id: 0, city: 'A 0', latitude: 1, longitude: 2 }, { id: 0, city: 'A 0', latitude: 1, longitude: 2 }), 4, 0],
    [list({ id: 9, city: 'B', latitude: 1, longitude: 2 }), 5, 1],
  ])('is told where some of the first one is not in it', async (next, absent, persisted) => {
    const { cwd, ran } = await served(next)
    expect(ran).toMatchObject({ code: 0, json: { source: { absent }, outbox: { persisted } } })
    expect(ran.stderr).toContain(`the slot ${slot} was served with another list: ${absent} locations of that one`)
    expect(await tasksIn(cwd)).toHaveLength(5 + persisted)
  })

  it('is none where its places are the same, in any order, with other extras', async () => {
    const places = Array.from({ length: 5 }, (_, id) => ({
      id,
      city: `A ${id}`,
      latitude: 1,
      longitude: 2,
      people: id,
    }))
    const { ran } = await served(list(...places.toReversed()))
    expect(ran).toMatchObject({ code: 0, stderr: '', json: { source: { read: 5, rejected: 0, duplicates: 5 } } })
  })
})

it('a location that is there twice counts once, also where the slot is read again', async () => {
  const place = (id: number): object => ({ id, city: `A ${id}`, latitude: 1, longitude: 2 })
  const cwd = await folderWith({ ...base, source: list(place(1), place(2), place(1)) })
  const sourceOf = async (time: string) => (await owmJson<Counts>(['produce', '--slot', time], { cwd })).json.source
  expect(await sourceOf(slot)).toMatchObject({ read: 3, duplicates: 1 })
  expect(await sourceOf(slot)).toMatchObject({ read: 3, duplicates: 3, repeated: 2 })
  const next = await sourceOf('2026-11-23T11:00:00Z')
  expect(next).toMatchObject({ read: 3, duplicates: 1 })
  expect(next).not.toHaveProperty('fewer')
})

describe('a slot that is there already', () => {
  it('is not said to be there while it waits', async () => {
    const cwd = await folderWith({ ...base, sink: deadSink, retry: { attempts: 1 } })
    expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(75)
    const { stdout } = await owm(['produce', '--slot', slot, '--set', 'source.count=19'], { cwd })
    expect(stdout).toMatch(/19 locations read, all in the outbox already.*20 pending/)
  })

  it('is served: a replay of one that was never served is refused, and makes no tasks', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--slot', slot], { cwd })
    for (const flag of ['--dry-run', '--yes']) {
      const { code, stderr } = await owm(['outbox', 'replay', '--slot', '2026-11-20T00:00:00Z', flag], { cwd })
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('owm produce --slot 2026-11-20'),
      })
    }
    expect((await owm(['outbox', 'replay', '--slot', slot, '--dry-run'], { cwd })).code).toBe(0)
  })

  it('reads "all there already"', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--slot', slot], { cwd })
    const { code, stdout } = await owm(['produce', '--slot', slot], { cwd })
    expect(code).toBe(0)
    expect(stdout).toContain('20 locations read, all there already')
    expect(stdout).not.toMatch(/duplicate|delivered/)
  })

  it('reads "all in the outbox already" where only this start delivered it', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--slot', slot, '--no-flush'], { cwd })
    const { stdout } = await owm(['produce', '--slot', slot], { cwd })
    expect(stdout).toContain('20 locations read, all in the outbox already, 20 tasks delivered')
  })

  it('says which part of it was there, where some is new', async () => {
    const cwd = await folderWith(base)
    await owm(['produce', '--slot', slot], { cwd })
    const { stdout } = await owm(['produce', '--slot', slot, '--set', 'source.count=25'], { cwd })
    expect(stdout).toContain('25 locations read, 20 there already, 5 tasks delivered')
  })
})

it('a slot that is there is read without being stored once more, in whatever order its list comes', async () => {
  const lines = Array.from({ length: 20_000 }, (_, id) => `${id},City ${id},1,2`)
  const cwd = await folderWith({ ...base, source: { use: 'static-list', file: 'list.csv' } })
  const write = (rows: string[]): Promise<void> =>
    writeFile(join(cwd, 'list.csv'), `id,city,latitude,longitude\n${rows.join('\n')}\n`)
  await write(lines)
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
  const { size } = await stat(join(cwd, 'o.db'))
  await write(lines.toSorted((a, b) => (a < b ? 1 : -1)))
  const { code, stdout } = await owm(['produce', '--slot', slot], { cwd })
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('20,000 locations read, all there') })
  // A comparison one by one would take megabytes.
  expect((await stat(join(cwd, 'o.db'))).size - size).toBeLessThan(200_000)
})

it('what was rejected in a missed run goes with the runs of its time; its row stays', async () => {
  const keep = { ...base, outbox: { ...base.outbox, keepTasks: 0, keepRuns: 1 } }
  const cwd = await folderWith({ ...keep, source: list({ city: 'Nowhere', latitude: 91, longitude: 1 }) })
  expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(65)
  const rejected = async (): Promise<number> =>
    (await owmJson<InspectResult>(['outbox', 'inspect', '--state', 'rejected'], { cwd })).json.tasks.length
  expect(await rejected()).toBe(1)
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(keep))
  for (const hour of [11, 12, 13])
    expect((await owm(['produce', '--slot', `2026-11-23T${hour}:00:00Z`], { cwd })).code).toBe(0)
  expect(await rejected()).toBe(0)
  expect(await states(cwd)).toContain('missed')
})
