/** A checkpoint belongs to the source that gave it: only the same source reads on from it. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { base, jsonl, slot, startAndStopAt, tasksIn, untilStopped } from '../cli/scene.js'
import { folderWith, owm, type Ran } from '../support/cli.js'

const places = 4_000
const produce = (cwd: string, ...args: string[]): Promise<Ran> => owm(['produce', '--slot', slot, ...args], { cwd })

/** A list of which each half is in one country, read through a filter. */
async function folderOfHalves(): Promise<string> {
  const cwd = await folderWith({ ...base, source: { use: 'static-list', file: 'list.csv' }, sink: jsonl })
  const lines = Array.from({ length: places }, (_, index) => `${index},City ${index},1,2,${index % 2 ? 'DE' : 'AT'}`)
  await writeFile(join(cwd, 'list.csv'), `id,city,latitude,longitude,country\n${lines.join('\n')}\n`)
  return cwd
}

/** Kills a run with SIGKILL at a step of its work. */
async function killAt(step: string, cwd: string, ...args: string[]): Promise<void> {
  const { child, ended } = startAndStopAt(step, ['produce', '--slot', slot, ...args], cwd)
  await untilStopped(child.pid)
  child.kill('SIGKILL')
  await ended
}

const where = (country: string): string[] => ['--set', `source.where={"country":"${country}"}`]

describe('a run that was begun with other options', () => {
  it('is read again with those of its first start, if others came in between', async () => {
    const cwd = await folderOfHalves()
    await killAt('run:started', cwd, ...where('DE'))
    await killAt('intake:persisted', cwd, ...where('AT'))
    expect((await produce(cwd, ...where('DE'))).code).toBe(0)
    const cities = new Set((await tasksIn(cwd)).map(({ city }) => city))
    for (let index = 1; index < places; index += 2) expect(cities).toContain(`City ${index}`)
  })

  it('is read again at once if there is a checkpoint', async () => {
    const cwd = await folderOfHalves()
    await killAt('intake:persisted', cwd, ...where('AT'))
    const { code, stderr } = await produce(cwd, ...where('DE'))
    expect(code).toBe(0)
    expect(stderr).toContain('the configuration of the source has changed')
    expect((await tasksIn(cwd)).filter(({ city }) => Number(city.slice(5)) % 2 === 1)).toHaveLength(places / 2)
  })
})

describe('a checkpoint stays good', () => {
  const simulated = { ...base, source: { use: 'simulated-db', count: places, pageSize: 500 } }

  it.each([
    ['the size of a page', 'source.pageSize=100'],
    ['a timeout', 'source.timeoutMs=7000'],
    ['how slow the source is', 'source.latencyMs=1'],
  ])('whatever becomes of %s', async (_, setting) => {
    const cwd = await folderWith(simulated)
    await killAt('intake:persisted', cwd)
    const { code, stderr, stdout } = await produce(cwd, '--set', setting)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toContain('duplicate')
    expect(new Set((await tasksIn(cwd)).map(({ task_id }) => task_id)).size).toBe(places)
  })

  it.each([
    ['with a mark', 'size'],
    ['that is a token', 'token'],
    ['that is a password in a URL', 'url'],
  ])("for a plugin's option %s; for any other it doesn't", async (_, option) => {
    const cwd = await folderWith({
      ...simulated,
      source: { use: './source.mjs', size: 1, url: 'http://u:p@h/x?key=1' },
    })
    await writeFile(
      join(cwd, 'source.mjs'),
      `import { defineSource, z } from 'owm-producer'
      export default defineSource({
        name: 'mine', description: 'mine',
        options: z.object({
          size: z.number().meta({ keepsCheckpoint: true }), token: z.string().optional(), url: z.string(),
          land: z.string().optional(),
        }),
        open: () => ({
          async *read(resume) {
            for (let at = Number(resume ?? 0); at < ${places}; at += 500)
              yield {
                locations: Array.from({ length: 500 }, (_, index) => (
                  { id: at + index, city: 'City ' + (at + index), latitude: 1, longitude: 2 })),
                resume: String(at + 500), position: (index) => 'row ' + (at + index),
              }
          },
        }),
      })\n`,
    )
    const other = { size: 'size=2', token: 'token=t-2', url: 'url=http://u:q@h/x?key=1' }[option]
    await killAt('intake:persisted', cwd)
    expect(await produce(cwd, '--set', `source.${other}`)).toMatchObject({ code: 0, stderr: '' })
    const second = ['produce', '--slot', '2026-11-23T11:00:00Z']
    const { child, ended } = startAndStopAt('intake:persisted', second, cwd)
    await untilStopped(child.pid)
    child.kill('SIGKILL')
    await ended
    const changed = await owm(
      [...second, '--set', option === 'url' ? 'source.url=http://u:p@h/x?key=2' : 'source.land=x'],
      {
        cwd,
      },
    )
    expect(changed.stderr).toContain('the configuration of the source has changed')
  })
})

it('a list that changes all the time is left to the next start, and no secret of its error is stored', async () => {
  const config = (token: string): object => ({ ...base, source: { use: './moving.mjs', token }, sink: jsonl })
  const cwd = await folderWith(config('the-first-token'))
  await writeFile(
    join(cwd, 'moving.mjs'),
    `import { defineSource, ResumePointError, z } from 'owm-producer'
    export default defineSource({
      name: 'moving', description: 'never the same',
      options: z.strictObject({ token: z.string().meta({ secret: true }) }),
      open: ({ token }) => ({
        async *read() {
          yield { locations: [{ city: 'Bern', latitude: 47, longitude: 7 }], resume: '1', position: () => 'first' }
          throw new ResumePointError('the total has changed, says ' + token)
        },
      }),
    })`,
  )
  const { code, stderr } = await produce(cwd)
  expect(code).toBe(75)
  expect(stderr.match(/is read again from the start/g)).toHaveLength(3)
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config('the-second-token')))
  const { stdout } = await owm(['runs'], { cwd })
  expect(stdout).toContain('the total has changed, says ***')
  for (const name of await readdir(cwd))
    if (name !== '.owmrc.json') expect(await readFile(join(cwd, name), 'latin1')).not.toContain('the-first-token')
})
