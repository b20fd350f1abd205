/** What single answers are taken for, and what the count of their items is compared with. */
import { describe, expect, test } from 'vitest'
import { ConfigurationError, TransientError } from '../../../src/errors/index.js'
import { Mapping } from '../../../src/sources/fields/mapping.js'
import { membersOfHeader } from '../../../src/sources/http/answer/headers.js'
import { Reader } from '../../../src/sources/http/answer/index.js'
import { options } from '../../../src/sources/http/options.js'
import { emptyPage, type Page, paginationOf } from '../../../src/sources/http/pagination/index.js'
import { Tally } from '../../../src/sources/http/tally/index.js'
import { signsIn } from '../../../src/sources/signs/more.js'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const url = 'https://example.org/places'
const given = (own: object) => options.parse({ url, pagination: { type: 'page', limit: 4 }, ...own })
const items = (from: number, to: number): object[] =>
  Array.from({ length: to - from }, (_, index) => ({ id: from + index, name: 'A', lat: 1, lon: 2 }))

/** The first answer to a source, as a page. */
function pageOf(body: unknown, own: object = {}): Promise<Page> {
  const mapping = new Mapping(given(own), { title: url, thing: 'key', log })
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = {
    status: 200,
    headers: {},
    body: Buffer.from(text),
    encodings: [],
    url: new URL(url),
    isElsewhere: false,
  }
  return new Reader(given(own), [], mapping).pageOf(answer, 'page 0', true)
}

describe('headers', () => {
  const signs = (name: string): string[] => signsIn(membersOfHeader(name, '25')).map(({ kind }) => kind)

  test.each([
    ...['x-waf-match-count', 'x-rule-match-count', 'x-db-hit-count', 'x-page-hit-count', 'x-edge-hits-count'],
    ...['x-account-object-count', 'x-news-sensors-total-count'],
  ])('%s counts something else', (name) => {
    expect(signs(name)).toEqual([])
  })

  test.each([
    ...['arcgis-total-count', 'x-gis-total-count', 'wfs-total-count', 'news-total-count', 'x-hits-total'],
    ...['acme-total-hits', 'acme-total-count'],
  ])('%s counts items', (name) => {
    expect(signs(name)).toEqual(['items'])
  })

  test('only a list is truncated', () => {
    const isSign = (name: string): boolean => signsIn(membersOfHeader(name, 'true')).length > 0
    expect(['x-not-truncated', 'x-trace-truncated', 'x-log-truncated'].filter(isSign)).toEqual([])
    for (const name of ['x-truncated', 'x-is-truncated', 'acme-result-truncated', 'acme-response-truncated'])
      expect(isSign(name), name).toBe(true)
  })
})

describe('source.total: what stands in the same object counts only if it is about that number', () => {
  test.each([
    ['beside a limit', { meta: { total: 100, limited: 20 } }, 'meta.total', 100],
    ['beside a flag of something else', { meta: { total: 100, capped: true } }, 'meta.total', 100],
    ['in an object', { total: { value: 100, relation: 'gte' } }, 'total.value', undefined],
    ['in an object, exactly', { total: { value: 100, relation: 'eq' } }, 'total.value', 100],
  ])('%s', async (_, beside, total, is) => {
    expect((await pageOf({ items: items(0, 4), ...beside }, { total })).total).toBe(is)
  })
})

test.each<[what: string, body: unknown, own?: object]>([
  ['an object', [{ error: 'no such page' }, { took: 5 }]],
  ['lines', 'ERROR: the page 0 is unknown\nTraceback (most recent call last):\n  at x\n', { format: 'csv' }],
])('a report of several records in place of page 0: there may be none (%s)', async (_, body, own = {}) => {
  await expect(pageOf(body, { header: ['name', 'lat', 'lon'], ...own })).rejects.toMatchObject({
    hint: expect.stringContaining('does it count from 0?'),
  })
})

describe('an estimate', () => {
  /** Why the list isn't whole after these pages. */
  async function trouble(pages: readonly object[][], beside: object): Promise<unknown> {
    const tally = new Tally(given({}), 0, log)
    for (const [here, each] of pages.entries())
      tally.add(await pageOf({ items: each, ...beside }), `page ${here}`, { isFirst: here === 0, here })
    tally.add(emptyPage, 'the last page', { isFirst: false, here: pages.length })
    return tally.trouble('the last page', paginationOf(given({}), 'page'))
  }
  const estimates = [{ estimatedTotal: 12 }, { count: 12, countIsEstimate: true }, { total: 'about 12' }]

  test.each([...estimates, { nbHits: 12, exhaustiveNbHits: false }])('%j need not be reached', async (beside) => {
    expect(await trouble([items(0, 4), items(4, 8)], beside)).toBeUndefined()
    expect(await trouble([items(0, 4)], beside)).toBeInstanceOf(TransientError)
  })

  test.each(estimates)('%j says nothing of pages that share items', async (beside) => {
    expect(await trouble([items(0, 4), items(3, 7)], beside)).toBeUndefined()
    expect(await trouble([items(0, 4), items(3, 7)], { availableItems: 8 })).toBeInstanceOf(ConfigurationError)
  })
})

describe('the code of an error says whether the same question may be answered later', () => {
  const graphql = (code: string | number): object => ({ data: null, errors: [{ message: 'x', extensions: { code } }] })

  test.each<[code: string, body: object]>([
    ...[
      ...['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'BAD_USER_INPUT', 'FORBIDDEN', 'UNAUTHENTICATED'],
      ...['PERSISTED_QUERY_NOT_FOUND', 'PERSISTED_QUERY_NOT_SUPPORTED', 'OPERATION_RESOLUTION_FAILURE'],
      ...['validation-failed', 'access-denied', 'invalid-jwt'],
    ].map((code): [string, object] => [code, graphql(code)]),
    ['UnauthorizedException', { data: null, errors: [{ message: 'x', errorType: 'UnauthorizedException' }] }],
    ['403', graphql(403)],
  ])('%s: it never is', async (code, body) => {
    const error = await pageOf(body, { items: 'data.places' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`${code}: x\\.?$`)) })
  })

  test.each(['INTERNAL_SERVER_ERROR', 'THROTTLED', 'timeout', ''])('%s: it may be', async (code) => {
    await expect(pageOf(graphql(code), { items: 'data.places' })).rejects.toBeInstanceOf(TransientError)
  })

  test.each([
    { code: 400, message: 'Unable to complete operation.', details: ['Unable to perform query operation.'] },
    { code: 403, message: 'Rate Limit Exceeded' },
    { code: '404', message: 'x' },
  ])('a number within an error says nothing outside of GraphQL: %j', async (error) => {
    const thrown = await pageOf({ error }, { items: 'data.places' }).catch((each: unknown) => each)
    expect(thrown).toBeInstanceOf(TransientError)
    expect(thrown).toMatchObject({ message: expect.stringContaining(`${error.code}: ${error.message}`) })
  })
})

describe('an empty list beside places', () => {
  const places = items(0, 4)

  test.each<[body: object, message: RegExp, hint: string]>([
    [
      { errors: [], data: { places: { nodes: places } } },
      /no list of objects/,
      'Set source.items to data.places.nodes.',
    ],
    [
      { excluded: [], data: { places: { nodes: places } } },
      /places elsewhere/,
      'Set source.items to data.places.nodes.',
    ],
    [
      { data: { places: { nodes: places } }, extensions: { warnings: [{ message: 'deprecated' }] } },
      /no list of objects/,
      'Set source.items to data.places.nodes.',
    ],
    [
      { data: { places: [] }, messages: [{ severity: 'x', text: 'shard down' }] },
      /empty list, data\.places, and says something in messages/,
      'Look at messages. If the list is empty all the same, set source.items to data.places.',
    ],
    [
      { excluded: [], cities: Object.fromEntries(places.entries()) },
      /places elsewhere/,
      'Set source.layout to keyed, and source.items to cities.',
    ],
  ])('%j', async (body, message, hint) => {
    const error = await pageOf(body).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ message: expect.stringMatching(message), hint })
  })

  test.each<[body: object, count: number]>([
    [{ errors: [], warnings: [], data: { places } }, 4],
    [{ messages: places, errors: [] }, 4],
    [{ places: [], query: { lat: 1, lon: 2, radius: 3 }, messages: [] }, 0],
    [{ places: [], bounds: { ne: { lat: 1, lng: 2 }, sw: { lat: 0, lng: 1 } } }, 0],
    [{ places: [], query: { center: { lat: 1, lon: 2 } } }, 0],
    [{ warnings: places, meta: { sources: [{ id: 1 }] } }, 4],
  ])('%j', async (body, count) => {
    expect((await pageOf(body)).count).toBe(count)
  })
})
