/** Numbers in a configuration that are compared with a list's values, or are its values: no digit of them is lost. */
import { describe, expect, it } from 'vitest'
import { roundedIn } from '../../src/config/file/digits.js'
import { cadenceKept, filtersOf } from '../../src/config/filters.js'
import type { Loaded } from '../../src/config/load.js'
import { matcher } from '../../src/pipeline/input/filters/where.js'
import { exactJson } from '../../src/tasks/json/exact.js'
import { settingsOf } from './scene.js'

const long = '1161888007138312193'
const yaml = (source: string, rest = ''): Record<string, string> => ({
  '.owmrc.yaml': `source: {use: static-list, file: a.csv, ${source}}\nsink: {use: jsonl, path: "-"}\n${rest}`,
})
const json = (source: string): Record<string, string> => ({
  '.owmrc.json': `{"source": {"use": "static-list", ${source}}, "sink": {"use": "jsonl", "path": "-"}}`,
})
const whereOf = async (loaded: Loaded): Promise<unknown> => (await filtersOf(loaded, {}))?.fields

describe('a value in where, as it is written', () => {
  it.each([
    ['{zip: 03772}', { zip: ['03772'] }],
    ['{zip: [03772, 501]}', { zip: ['03772', '501'] }],
    [`{id: ${long}}`, { id: [long] }],
    [`{id: {not: [${long}, 3]}}`, { id: { not: [long, '3'] } }],
    ['{v: 0.12345678901234567890}', { v: ['0.12345678901234567890'] }],
    ['{0501: 1}', { '0501': ['1'] }],
    // The fields of a condition may have any name.
    ['{lt: 010, where: 02, locations: 03}', { lt: ['010'], where: ['02'], locations: ['03'] }],
  ])('%s', async (where, fields) => {
    expect(await whereOf(await settingsOf(yaml(`where: ${where}`)))).toEqual(fields)
  })

  it('in both forms, where a list may have it in either', async () => {
    const loaded = await settingsOf(yaml('where: {v: 1.10, w: {in: [2, 1.0], not: +5}, x: 1e3}'))
    const fields = (await filtersOf(loaded, {}))?.fields
    expect(fields).toEqual({ v: ['1.10', '1.1'], w: { in: ['2', '1.0', '1'], not: ['+5', '5'] }, x: ['1e3', '1000'] })
    const matches = matcher({ v: fields?.['v'] ?? [] })
    expect([{ v: '1.10' }, { v: 1.1 }, { v: '1.1' }, { v: '1.100' }].map(matches)).toEqual([true, true, true, false])
  })

  it('but a number where numbers are compared', async () => {
    const loaded = await settingsOf(yaml('where: {p: {gte: 0100, lt: 1e3}, bbox: [05.0, 45.80, 17.2, 55]}'))
    expect(await filtersOf(loaded, {})).toMatchObject({
      fields: { p: { gte: 100, lt: 1000 } },
      bbox: [5, 45.8, 17.2, 55],
    })
  })

  it('also in the rules of a cadence, in pipelines, and through an alias', async () => {
    const rest =
      'schedule: {cron: "0 * * * *"}\ncadence: {rules: [{where: {zip: 03772}, every: 1h}]}\n' +
      'pipelines:\n  where: {source: {where: &w {zip: 00501}}, retry: {maxDelayMs: 1.0e3}}\n' +
      '  b: {source: {where: *w}}\n'
    for (const pipeline of ['where', 'b']) {
      const loaded = await settingsOf(yaml('format: csv', rest), { pipeline })
      expect(await whereOf(loaded)).toEqual({ zip: ['00501'] })
      expect(await cadenceKept(loaded)).toContain('"zip":["03772"]')
    }
  })

  it('in JSON', async () => {
    const loaded = await settingsOf(json(`"file": "a.csv",\n\t"where": {"id": [${long}, 3], "v": 1.10}`))
    expect(await whereOf(loaded)).toEqual({ id: [long, '3'], v: ['1.10', '1.1'] })
  })

  it.each([
    [`source.where.id=${long}`, { id: [long] }],
    [`source.where.id=[${long},3]`, { id: [long, '3'] }],
    [`source.where.id.not=${long}`, { id: { not: [long] } }],
    [`source.where={"id":{"not":${long},"gte":1}}`, { id: { not: [long], gte: 1 } }],
    [`source={"use":"static-list","file":"a.csv","where":{"id":${long}}}`, { id: [long] }],
    ['source.where.zip=03772', { zip: ['03772'] }],
    ['source.where.zip=[03772, 3]', { zip: ['03772', '3'] }],
    ['source.where.state=[AK,HI]', { state: ['AK', 'HI'] }],
    ['source.where.p={gte: 5}', { p: { gte: 5 } }],
    ['source.where.state={owm}', { state: ['{owm}'] }],
    ['source.where.v=1.10', { v: ['1.10', '1.1'] }],
    ['source.where.p.gte=1161888007138312193', { p: { gte: Number(long) } }],
  ])('--set %s', async (set, fields) => {
    expect(await whereOf(await settingsOf(yaml('format: csv'), { set: [set] }))).toEqual(fields)
  })
})

const optionOf = ({ settings }: Loaded, name: string): unknown => settings.source?.[name]

describe('other values', () => {
  it('in nulls', async () => {
    expect(optionOf(await settingsOf(yaml('nulls: [03772, -9999, -99.0]')), 'nulls')).toEqual([
      ...['03772', -9999],
      ...['-99.0', -99],
    ])
    const set = [`source.nulls=[${long}]`]
    expect(optionOf(await settingsOf(yaml('format: csv'), { set }), 'nulls')).toEqual([long])
  })

  it('in locations keep what they were, so that no task gets another id', async () => {
    const places = '[{"id": 1.10, "name": "A", "lat": 1.0, "lon": 2}]'
    const inYaml = await settingsOf({ '.owmrc.yaml': `source: {use: static-list, locations: ${places}}\n` })
    expect(optionOf(inYaml, 'locations')).toMatchObject([{ id: '1.10', lat: 1 }])
    expect(optionOf(await settingsOf(json(`"locations": ${places}`)), 'locations')).toMatchObject([{ id: 1.1 }])
  })

  it('in locations keep all of their digits, wherever they are given', async () => {
    const places = `[{"id": ${long}, "name": "A", "lat": 1, "lon": 2, "h": 1.12345678901234567890}]`
    const given = [
      await settingsOf({ '.owmrc.yaml': `source: {use: static-list, locations: ${places}}\n` }),
      await settingsOf(json(`"locations": ${places}`)),
      await settingsOf({}, { set: ['source.use=static-list', `source.locations=${places}`] }),
    ]
    for (const loaded of given) expect(exactJson(optionOf(loaded, 'locations'))).toBe(places.replaceAll(/[ ]/g, ''))
  })
})

it('a number that JavaScript has rounded is reported if it is compared, or part of the data', () => {
  const rounded = Number(long)
  expect(
    roundedIn({
      source: { maxLocations: 2 ** 60, where: { id: [3, rounded], p: { gte: rounded } }, locations: [{ id: rounded }] },
      cadence: { rules: [{ where: { id: { not: rounded } }, every: '1h' }] },
    }),
  ).toEqual(['source.where.id.1', 'source.locations.0.id', 'cadence.rules.0.where.id.not'])
})
