/** A cadence that refers to a field which no location has would silently be another one. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderWith, owmJson } from '../support/cli.js'

async function stderrOf(
  cadence: object,
  command = ['produce'],
  source: object = { use: 'static-list', file: 'list.csv' },
): Promise<string> {
  const cwd = await folderWith({
    source,
    sink: { use: 'jsonl', path: 't.jsonl' },
    outbox: { path: 'o.db' },
    schedule: { cron: '0 * * * *' },
    cadence,
  })
  await writeFile(
    join(cwd, 'list.csv'),
    'city,latitude,longitude,people,every\nBern,46.9,7.4,"133,883",1h\nBasel,1,2,5,\n',
  )
  const { code, stderr } = await owmJson(command, { cwd })
  expect(code).toBe(0)
  return stderr
}

it.each([['produce'], ['produce --dry-run'], ['plan']])(
  '%s tells of fields that no location has, and of values that are no numbers',
  async (command) => {
    const rules = [
      { where: { peeple: { gte: 5 } }, every: '1h' },
      { where: { people: { gte: 5 }, country: { not: 'CH' } }, every: '1h' },
    ]
    const stderr = await stderrOf({ field: 'evry', rules }, command.split(' '))
    expect(stderr).toContain('cadence.field: no location has evry. Did you mean')
    expect(stderr).toContain('cadence.rules.0.where: no location has peeple. Did you mean')
    expect(stderr).toContain('cadence.rules.1.where: people is no number in one location, such as')
    expect(stderr).toContain('cadence.rules.1.where: no location has country. All of them meet its condition.')
  },
)

it('tells of a field that holds lists, and of columns that source.columns leaves out', async () => {
  const rules = [
    { where: { tags: 'vip' }, every: '1h' },
    { where: { tags: { not: ['', 'vip'] } }, every: '1h' },
    { where: { tags: { not: '' } }, every: '1h' },
  ]
  const source = {
    use: 'static-list',
    locations: [{ city: 'Bern', latitude: 46.9, longitude: 7.4, tags: ['vip', 'x'], every: '1h' }],
    columns: ['tags'],
  }
  const stderr = await stderrOf({ field: 'every', rules }, ['produce'], source)
  expect(stderr).toContain('cadence.field: no location has every. They have city, latitude, longitude, tags')
  expect(stderr).toContain("one that source.columns leaves out isn't here")
  expect(stderr).toContain('cadence.rules.0.where: tags is a list or an object, such as')
  expect(stderr).toContain('source.fields: {NAME: tags.0}')
  expect(stderr).toContain('cadence.rules.1.where: tags is a list or an object, such as')
  expect(stderr).toContain('by `not` leaves none of them out')
  expect(stderr).not.toContain('cadence.rules.2')
})

it('is silent where all is there', async () => {
  expect(await stderrOf({ field: 'every', rules: [{ where: { city: 'Bern' }, every: '1h' }] })).not.toContain('cadence')
})
