/**
 * The kinds of faults that lists have, and the sources in which each can occur: for every cell the test that tries it,
 * or why there is none. The same code reads names, values and coordinates for all sources (src/sources/fields), so
 * a cell names the test of what the source does by itself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../support/cli.js'

/** A part of a test's name, and its file in test/. */
type Named = readonly [file: string, name: string]
/** A test, or why the kind can't occur. */
type Cell = Named | { readonly never: string }

const lists = (name: string): Named => ['sources/field/lists.integration.test.ts', name]
const servers = (name: string): Named => ['sources/field/servers.integration.test.ts', name]
const answers = (name: string): Named => ['sources/field/answers.integration.test.ts', name]
const tables = (name: string): Named => ['sources/field/tables.integration.test.ts', name]
const docs = (name: string): Named => ['sources/field/docs.integration.test.ts', name]
const formats = (name: string): Named => ['sources/field/formats.test.ts', name]
const minimum = (name: string): Named => ['pipeline/minimum.integration.test.ts', name]
const older = (name: string): Named => ['sources/static-list/damaged.integration.test.ts', name]
const never = (never: string): Cell => ({ never })

const sources = ['CSV, TSV', 'JSON, NDJSON', 'GeoJSON', 'YAML, inline', 'http', 'sql', 'simulated-db'] as const
const made = never('it makes good places, but for those that it is told to spoil, which are rejected')
const noNames = never('its names are its own')

const kinds: Readonly<Record<string, Readonly<Record<(typeof sources)[number], Cell>>>> = {
  'nothing usable, or nothing at all': {
    'CSV, TSV': minimum('nothing usable in a source that gave something is 65'),
    'JSON, NDJSON': formats('no key for the latitude'),
    GeoJSON: lists("list: 'geometry-zoo'"),
    'YAML, inline': formats('no key for the latitude'),
    http: servers('a first page that is empty'),
    sql: tables('an empty table is no success'),
    'simulated-db': made,
  },
  'digits that are lost': {
    'CSV, TSV': never('its values are text, which travels as it is'),
    'JSON, NDJSON': lists("list: 'bigint-ndjson'"),
    GeoJSON: formats('long whole numbers'),
    'YAML, inline': lists("list: 'inline-zero'"),
    http: answers('digits, names and values of JSON answers'),
    sql: tables('JSON in a column of PostgreSQL keeps its digits'),
    'simulated-db': never('its ids are small numbers'),
  },
  'two columns of one name': {
    'CSV, TSV': lists("list: 'dup-header'"),
    'JSON, NDJSON': formats('a key that is there twice'),
    GeoJSON: formats('a key that is there twice'),
    'YAML, inline': formats('YAML refuses a key that is there twice'),
    http: answers('digits, names and values of JSON answers'),
    sql: tables('two columns of one name'),
    'simulated-db': noNames,
  },
  'a name that is owm’s own, or none': {
    'CSV, TSV': lists("list: 'index-hash-column'"),
    'JSON, NDJSON': lists("list: 'both-ids-camel'"),
    GeoJSON: formats('names that features have twice'),
    'YAML, inline': formats('names that a task has of its own'),
    http: formats('names that a task has of its own'),
    sql: tables('mappings, coordinates and columns'),
    'simulated-db': noNames,
  },
  'a mapping that finds nothing': {
    'CSV, TSV': older('a wrong field'),
    'JSON, NDJSON': lists("list: 'fields-typo'"),
    GeoJSON: formats('a mapping that finds nothing'),
    'YAML, inline': formats('a mapping that finds nothing'),
    http: answers('digits, names and values of JSON answers'),
    sql: tables('mappings, coordinates and columns'),
    'simulated-db': never('it has no fields to map; `where` is tried with static-list'),
  },
  'an end that is only assumed': {
    'CSV, TSV': older('compressed ones that were cut off or damaged'),
    'JSON, NDJSON': older('ends before its array does'),
    GeoJSON: formats('that is cut off'),
    'YAML, inline': ['sources/static-list/ends.integration.test.ts', 'that is a part'],
    http: ['sources/http/real/real.integration.test.ts', 'is never silently short'],
    sql: ['sources/sql/tables.integration.test.ts', 'waits where a list is replaced'],
    'simulated-db': never('it knows its count'),
  },
  'another place under one id': {
    'CSV, TSV': minimum('another place under its id a conflict'),
    'JSON, NDJSON': minimum('another place under its id a conflict'),
    GeoJSON: minimum('another place under its id a conflict'),
    'YAML, inline': minimum('another place under its id a conflict'),
    http: minimum('another place under its id a conflict'),
    sql: minimum('another place under its id a conflict'),
    'simulated-db': never('a repeated row is the same place'),
  },
  'null by another name, space around text': {
    'CSV, TSV': docs('nulls: [NULL, N/A, "-"]'),
    'JSON, NDJSON': lists("list: 'nan'"),
    GeoJSON: formats('values that are none'),
    'YAML, inline': formats('values that are none'),
    http: answers('digits, names and values of JSON answers'),
    sql: tables('fixed-length text is trimmed'),
    'simulated-db': made,
  },
  'another projection, another unit': {
    'CSV, TSV': lists("list: 'decimal-comma'"),
    'JSON, NDJSON': formats('a projection that a list names'),
    GeoJSON: lists("list: 'crs-3857'"),
    'YAML, inline': formats('a projection that a list names'),
    http: answers('projections that answers name'),
    sql: tables('mappings, coordinates and columns'),
    'simulated-db': made,
  },
  'what was read before a fault': {
    'CSV, TSV': minimum('what was read before a source failed is delivered'),
    'JSON, NDJSON': minimum('what was read before a source failed is delivered'),
    GeoJSON: minimum('what was read before a source failed is delivered'),
    'YAML, inline': never('YAML is read as a whole, inline lists are there from the start'),
    http: servers('an error with status 200 ends no list'),
    sql: minimum('what was read before a source failed is delivered'),
    'simulated-db': ['sources/simulated-db.integration.test.ts', 'a query that is never answered'],
  },
  'something else than a list': {
    'CSV, TSV': lists("list: 'xlsx-as-csv'"),
    'JSON, NDJSON': formats('a web page instead of a list'),
    GeoJSON: formats('a web page instead of a list'),
    'YAML, inline': formats('a web page instead of a list'),
    http: answers('a first answer that is'),
    sql: tables('an unknown option of a database'),
    'simulated-db': never('it reads nothing'),
  },
}

const folder = join(root, 'test')
const texts = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !path.endsWith('kinds.test.ts'))
    .map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
)

/** Whether a file has a test of that name, or a case of one: comments don't count. */
function isThere([file, name]: Named): boolean {
  const code = (texts.get(file) ?? '').replace(/^ *(\/\/|\*).*$/gm, '')
  return code.includes(name) || code.includes(JSON.stringify(name))
}

test.each(Object.entries(kinds))('%s: each source has a test, or a reason', (_, cells) => {
  expect(Object.keys(cells)).toEqual(sources)
  for (const [source, cell] of Object.entries(cells))
    if (!('never' in cell)) expect(isThere(cell), `${source}: ${cell[1]} in ${cell[0]}`).toBe(true)
})

test('a test that is gone is noticed', () => {
  expect(isThere(servers('an error with status 200 ends no list, nor begins one'))).toBe(false)
  expect(isThere(['sources/field/gone.test.ts', 'test'])).toBe(false)
})
