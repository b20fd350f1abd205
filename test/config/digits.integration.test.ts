/** Long numbers in a configuration, from the command line: in what it shows, checks and delivers. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { owm, owmJson } from '../support/cli.js'
import { dryRun, folderOf } from './scene.js'

const long = '1161888007138312193'
const decimal = '1.12345678901234567890'
const place = `{id: ${long}, name: A, lat: 1, lon: 2, zip: 03772, height: ${decimal}}`
const source = (locations: string): string => `source: {use: static-list, locations: [${locations}]}`

it('a task has them as they are written, and so has what is shown', async () => {
  const cwd = await folderOf({ '.owmrc.yaml': `${source(place)}\nsink: {use: jsonl, path: ./t.jsonl}\n` })
  const { stdout } = await owm(['produce', '--dry-run'], { cwd })
  expect(stdout).toContain(`"location_id":${long},"zip":"03772","height":${decimal}}`)
  const shown = await owm(['config', 'show', '--set', `source.where.id=[${long},3]`], { cwd })
  expect(shown.stdout).toContain(`"id":${long},"name":"A","lat":1,"lon":2,"zip":"03772","height":${decimal}}`)
  expect(shown.stdout).toMatch(new RegExp(`source\\.where\\.id +\\["${long}",3\\]`))
})

it('two pipelines with such lists can be checked', async () => {
  const pipelines = ['a', 'b'].map((name) => `  ${name}: {${source(place.replace('A', name))}}\n`)
  const text = `pipelines:\n${pipelines.join('')}sink: {use: jsonl, path: ./t.jsonl}\noutbox: {path: ./o.db}\n`
  const { code, stdout } = await owm(['config', 'check'], { cwd: await folderOf({ '.owmrc.yaml': text }) })
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('a and b deliver to one stream') })
})

it('where asks for what is written', async () => {
  const list = `id,name,lat,lon,zip\n1161888007138312192,A,1,2,03772\n${long},B,1,2,00501\n3,C,1,3,3772\n`
  const cities = async (where: string): Promise<string> => {
    const cwd = await folderOf({
      'a.csv': list,
      '.owmrc.yaml': `source: {use: static-list, file: ./a.csv, where: ${where}}\nsink: {use: jsonl, path: t.jsonl}\n`,
    })
    return (await dryRun([], { cwd })).json.tasks.map(({ city }) => city).join('')
  }
  expect(await cities('{zip: 03772}')).toBe('A')
  expect(await cities(`{id: [${long}, 3]}`)).toBe('BC')
  expect(await cities(`{id: {not: ${long}}}`)).toBe('AC')
})

it('JavaScript rounds them: a warning says so, once', async () => {
  const cwd = await folderOf({})
  const source = `{use: 'simulated-db', count: 3, where: {id: {not: ${long}}}}`
  const config = `export default {source: ${source}, sink: {use: 'jsonl', path: 't'}}`
  await writeFile(join(cwd, 'owm.config.mjs'), config)
  const { stderr } = await owmJson(['produce', '--dry-run'], { cwd })
  expect(stderr.match(/source\.where\.id\.not is a number beyond 2\^53/g)).toHaveLength(1)
})
