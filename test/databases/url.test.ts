import { expect, test } from 'vitest'
import { namesDatabase } from '../../src/databases/url.js'
import { options as postgres } from '../../src/sinks/postgres/options.js'
import { options as sql } from '../../src/sources/sql/options.js'

test.each([
  'postgres://owm:secret@db.example:5432/geo',
  'mysql://db.example/geo%40home',
  'postgres://owm@localhost/geo?host=/run/@postgres&sslrootcert=./me@home/ca.pem',
])('%s names a database', (url) => {
  expect(namesDatabase(url)).toBe(true)
})

test.each([
  'postgres://db.example',
  'postgres://db.example/',
  'postgres://owm:2024/Winter!pw@db.example:5432/geo',
  'postgres://owm:7?x@/secret!pw@db.example/geo',
  'mysql://owm:33/Winter?pw@db.example/geo',
  'mysql://owm:33/Winter?a=b@db.example/geo',
  'mysql://owm:33/Winter#pw@db.example/geo',
  'postgres://owm:77#Winter!pw@db.example/geo',
])('%s names none', (url) => {
  expect(namesDatabase(url)).toBe(false)
})

test('source and sink refuse such a URL, without quoting it', () => {
  const url = 'postgres://owm:2024/Winter!pw@db.example:5432/geo'
  const { error } = sql.safeParse({ url, table: 'places', key: 'id' })
  for (const { message } of [error, postgres.safeParse({ url }).error].map((found) => ({ message: String(found) }))) {
    expect(message).toContain('in user and password write / as %2F')
    expect(message).not.toContain('Winter')
  }
})
