/** Locations that become one task although their records differ, lists without any, and how that is reported. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, owm, type Ran } from '../support/cli.js'

async function folder(file: string, text: string, source: object = {}): Promise<string> {
  const cwd = await folderWith({
    source: { use: 'static-list', file: `./${file}`, ...source },
    sink: { use: 'jsonl', path: './tasks.jsonl' },
    outbox: { path: './outbox.db' },
  })
  await writeFile(join(cwd, file), text)
  return cwd
}

async function run(file: string, text: string, args: readonly string[] = [], source: object = {}): Promise<Ran> {
  return owm(['produce', ...args], { cwd: await folder(file, text, source) })
}

const table = (header: string, ...rows: string[]): string => [header, ...rows, ''].join('\n')
const lines = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')

describe('the same place, but for what owm takes for no id', () => {
  const bern = { name: 'Bern', lat: 46.9, lon: 7.4 }
  test.each([
    ['list.csv', table('code,name,lat,lon', 'A,Bern,46.9,7.4', 'B,Bern,46.9,7.4', 'C,Bern,46.9,7.4'), 'line 3', 'code'],
    ['list.ndjson', lines({ ...bern, OBJECTID: 1 }, { ...bern, OBJECTID: 2 }, { ...bern }), 'line 2', 'objectid'],
    [
      'list.json',
      `[${lines(bern, { ...bern, wban: '1' }, bern)
        .trim()
        .replaceAll('\n', ',\n')}]`,
      '[1]',
      'wban',
    ],
    ['list.yaml', '- &a {name: Bern, lat: 46.9, lon: 7.4}\n- {<<: *a, x: 1}\n- {<<: *a, x: 2}\n', '[1]', 'x'],
  ])('%s', async (file, text, position, key) => {
    const ran = await run(file, text)
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('2 duplicates') })
    expect(ran.stderr).toMatch(/locations? (is|are) taken for the same place as one before/)
    expect(ran.stderr).toContain(`(first ${position}`)
    expect(ran.stderr).toContain(`fields: {id: ${key}}`)
    const dry = await run(file, text, ['--dry-run'])
    expect(dry.stderr).toMatch(/taken for the same place as one before/)
  })

  test('long numbers differ in their last digit', async () => {
    const text =
      '[{"name":"A","lat":1,"lon":2,"osm":1161888007138312192},{"name":"A","lat":1,"lon":2,"osm":1161888007138312199}]'
    const { stderr } = await run('list.json', text)
    expect(stderr).toContain('osm 1161888007138312199, before it 1161888007138312192')
  })

  test('a record that is there twice is no more than a duplicate', async () => {
    const text = table('code,name,lat,lon', 'A,Bern,46.9,7.4', 'A,Bern,46.9,7.4')
    for (const args of [[], ['--dry-run']])
      expect(await run('list.csv', text, args)).toMatchObject({ code: 0, stderr: '' })
  })

  test('--json counts them', async () => {
    const ran = await run('list.csv', table('code,name,lat,lon', 'A,X,1,2', 'B,X,1,2'), ['--json'])
    expect(JSON.parse(ran.stdout)).toMatchObject({ source: { duplicates: 1, merged: 1 } })
  })
})

test('places under one id are one reason, however many there are, and in a dry run, too', async () => {
  const rows = Array.from({ length: 20 }, (_, index) => [`${index},A,${index},1`, `${index},B,${index},1`]).flat()
  const text = table('id,name,lat,lon', ...rows)
  for (const args of [[], ['--dry-run']]) {
    const { stderr } = await run('list.csv', text, args)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toMatch(/20 locations were rejected: its id is another place's, too/)
  }
})

test('if nothing is stored, no message points to the outbox', async () => {
  const wrong = table('name,lat,lon', 'Bern,x,7.4')
  const half = table('name,lat,lon', 'Bern,x,7.4', 'Basel,47.5,7.6')
  expect((await run('list.csv', wrong)).stderr).toContain('outbox inspect')
  for (const dry of [
    await run('list.csv', wrong, ['--dry-run']),
    await run('list.csv', half, ['--dry-run', '--strict']),
  ])
    expect(dry).toMatchObject({ code: 65, stderr: expect.not.stringContaining('outbox inspect') })
  const check = await owm(['config', 'check', '--connect'], { cwd: await folder('list.csv', wrong) })
  expect(check.stdout).toMatch(/wrong source: None of the 1 locations/)
  expect(check.stdout).not.toContain('outbox inspect')
})

describe('a list without any location', () => {
  test.each([
    ['list.csv', 'name,lat,lon\n'],
    ['list.json', '[]'],
    ['list.ndjson', '\n'],
    ['list.yaml', '[]\n'],
  ])('%s is told by a dry run and by the check', async (file, text) => {
    const cwd = await folder(file, text)
    const dry = await owm(['produce', '--dry-run'], { cwd })
    expect(dry).toMatchObject({ code: 0, stderr: expect.stringContaining('gave no location') })
    const check = await owm(['config', 'check', '--connect'], { cwd })
    expect(check).toMatchObject({ code: 0, stdout: expect.stringMatching(/warn {2}source: .*0 locations read/) })
  })

  test('where some are needed it is wrong', async () => {
    const cwd = await folder('list.csv', 'name,lat,lon\n', { minLocations: 1 })
    const check = await owm(['config', 'check', '--connect'], { cwd })
    expect(check).toMatchObject({ code: 78, stdout: expect.stringMatching(/wrong source: .*gave 0 locations/) })
  })
})

test('a location that is there twice makes up for none that is gone', async () => {
  const cwd = await folder('list.csv', table('name,lat,lon', 'A,1,1', 'B,2,2', 'C,3,3'))
  await owm(['produce', '--slot', '2026-11-26T00:00:00Z'], { cwd })
  await writeFile(join(cwd, 'list.csv'), table('name,lat,lon', 'A,1,1', 'A,1,1', 'A,1,1'))
  const ran = await owm(['produce', '--slot', '2026-11-26T01:00:00Z'], { cwd })
  expect(ran.stdout).toContain('2 fewer than last time')
})
