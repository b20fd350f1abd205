/** What an answer says of itself: which of it is a sign that there is more than its five items. */
import { expect, test } from 'vitest'
import { totalsIn } from '../../src/sources/signs/marks.js'
import { membersOf } from '../../src/sources/signs/members.js'
import { partIn } from '../../src/sources/signs/partial.js'

const list = [1, 2, 3, 4, 5]
const part = (beside: object, path = 'stations'): string | undefined => partIn({ ...beside, stations: list }, 5, path)

test.each<[beside: object, says: RegExp]>([
  ...['count_total', 'countAll', 'availableResults', 'iTotalRecords', 'iTotalDisplayRecords', 'total_rows'].map(
    (name): [object, RegExp] => [{ [name]: 12 }, /12 items/],
  ),
  // Under the list's own name.
  ...['totalStations', 'stationsTotal', 'num_stations', 'nStations', 'station_count', 'TotalNumberOfStations'].map(
    (name): [object, RegExp] => [{ [name]: '12' }, /12 items/],
  ),
  [{ extra: { stats: { fullCount: 12 } } }, /12 items/],
  [{ from: 1, to: 5, of: 12 }, /12 items/],
  [{ info: 'Showing 1 to 5 of 12 entries' }, /12 items/],
  [{ meta: { displaying: '5 of 1,200' } }, /1200 items/],
  [{ info: 'Page 1 of 3' }, /3 pages/],
  [{ page: '1 of 3' }, /3 pages/],
  [{ pages: { current: 1, last: 3 } }, /3 pages/],
  [{ pagination: { current: 1, max: 3 } }, /3 pages/],
  [{ page: { number: 1, of: 3 } }, /3 pages/],
  // A server that stopped counting has more; one that estimates need not.
  ...[
    { total: { value: 5, relation: 'gte' } },
    { hits: { total: { value: 5, relation: 'GREATER_THAN_OR_EQUAL_TO' } } },
    { total: 5, total_relation: 'gte' },
    { total: 5, total_is_lower_bound: true },
    { totalCount: 5, isTotalCountCapped: 'true' },
    { count: { atLeast: 5 } },
    { total_lower_bound: 5 },
    { total: '5+' },
    { total: '≥ 5' },
    { total: 'more than 5' },
    { total: '5 or more' },
    { info: 'Showing 1 to 5 of over 5 entries' },
    { info: '1-5 of 5+' },
  ].map((beside): [object, RegExp] => [beside, /has at least 6 items/]),
  ...[{ total: '~12' }, { total: 'about 12' }, { numFound: 12, numFoundExact: 0 }, { estimatedTotal: 12 }].map(
    (beside): [object, RegExp] => [beside, /has about 12 items/],
  ),
  [{ total_pages: '1+' }, /one of at least 2 pages/],
  [{ page: '1/3' }, /3 pages/],
  ...[{ totals: { stations: 12 } }, { counts: { stations: 12 } }, { count: { stations: 12 } }].map(
    (beside): [object, RegExp] => [beside, /12 items/],
  ),
  [{ meta: { filter_count: 12 } }, /12 items/],
  [{ totals: { pages: 3 } }, /3 pages/],
  [{ '@Microsoft.Dynamics.CRM.totalrecordcount': 12 }, /12 items/],
  [{ '@Microsoft.Dynamics.CRM.morerecords': true }, /more follows/],
  [
    {
      '@Microsoft.Dynamics.CRM.totalrecordcount': 5,
      '@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded': true,
    },
    /at least 6 items/,
  ],
  [{ search_cutoff: true }, /more follows/],
  [{ additional_data: { pagination: { more_items_in_collection: true } } }, /more follows/],
  [{ additional_data: { pagination: { next_start: 5 } } }, /goes on at 5/],
  [{ _clusters: { total: 3, successful: 2, skipped: 1 } }, /an error: 1 have failed/],
  [{ final: false }, /more follows/],
  [{ canLoadMore: true }, /more follows/],
  [{ pages_left: 2 }, /more follows/],
  [{ stationsRemaining: 7 }, /more follows/],
  [{ failed_sources: ['EU'] }, /something is missing: failed_sources is \["EU"\]/],
  [{ missing: ['EU'] }, /something is missing/],
  [{ skippedStations: 7 }, /something is missing/],
  ...[{ isPartial: true }, { incomplete: true }].map((beside): [object, RegExp] => [beside, /more follows/]),
  // GraphQL: Hasura, Strapi, Prisma, Dgraph.
  ...[
    { stations_aggregate: { aggregate: { count: 12 } } },
    { stationsAggregate: { totalCount: 12 } },
    { stationsConnection: { aggregate: { count: 12 } } },
    { aggregateStation: { count: { _all: 12 } } },
    { aggregate: { count: 12 } },
    { total: [{ count: 12 }] },
  ].map((beside): [object, RegExp] => [beside, /12 items/]),
])('%j says that there is more', (beside, says) => {
  expect(part(beside)).toMatch(says)
})

test.each(['@attr', '@attributes', '$'])('what was an attribute %s in XML is near its list', (key) => {
  const stations = { [key]: { page: '1', perPage: '5', total: '12' }, station: list }
  expect(partIn({ stations }, 5, 'stations.station')).toMatch(/12 items/)
})

test.each<[beside: object]>([
  [{ totalStations: 5, count_total: 5, num_stations: 5, returned: 5 }],
  [{ available: 99, limit: 100, size: 100, hitsPerPage: 20, number: 30, max: 100, rows: 100, results: 100 }],
  [{ totalSensors: 40, sensorCount: 40, stationId: 4711, station_number: 99, countdown: 9, discount: 20 }],
  [{ page: 1, first: 1, last: 5 }],
  [{ page: { number: 1, size: 100, of: 'all' } }],
  [{ pagination: { max: 100, offset: 0 } }],
  [{ pageNumber: 1, page_no: 1, pageSize: 50 }],
  [{ info: 'Showing 1 to 5 of 5 entries', note: '3 of 12 sensors are being calibrated', title: 'Part of 12 networks' }],
  [{ version: '2 of 3', updated: '28 of November 2026' }],
  [{ skipped: 7, missing: 0, failed: [], failed_sources: [], missing_values: 12, unavailable: false }],
  [{ final: true, canLoadMore: false, pages_left: 0 }],
  [{ stats: { fullCount: 99 } }],
  [{ totals: { sensors: 99 }, counts: { errors: 9, stations: 5 }, cities: { total: 9 } }],
  [{ counts: { all: 99, filtered: 5, page: 2 }, total: { size: 20480 }, cutoff: 1 }],
  [{ '@Microsoft.Dynamics.CRM.totalrecordcount': -1, '@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded': true }],
  [{ _shards: { total: 9, successful: 9, skipped: 4, failed: 0 }, _clusters: { total: 1, successful: 1, skipped: 0 } }],
  [{ page: '1/1', search_cutoff: false, meta: { filter_count: 2 } }],
  [{ total: { value: 5, relation: 'eq' } }],
  [{ total: 5, total_relation: 'eq', relation: 'city', type: 'gte', accuracy: 'more than 5 km', limit_type: 'min' }],
  [{ total: 5, total_is_lower_bound: false, total_capped: false, numFoundExact: true, exact_match: false }],
  [{ total: '~5', estimatedTotalHits: 4 }],
  [{ total: 5, total_capped: 0, numFoundExact: 1, last: 0, end: 0 }],
  [{ sensors_aggregate: { aggregate: { count: 12 } }, aggregate: { count: 5, sum: { total: 12 } }, isPartial: false }],
  [{ available: [{ value: 12, name: 'x' }] }],
])('%j says nothing of the kind', (beside) => {
  expect(part(beside)).toBeUndefined()
})

test.each([{ totalStations: 12 }, { stations_aggregate: { aggregate: { count: 12 } } }])(
  'the nodes of stations are the stations that %j counts',
  (beside) => {
    expect(partIn({ data: { stations: { nodes: list }, ...beside } }, 5, 'data.stations.nodes')).toMatch(/12 items/)
    expect(partIn({ response: { data: list, responseTotal: 12 } }, 5, 'response.data')).toBeUndefined()
  },
)

test('the pages of another list are none of this one', () => {
  const countries = { nodes: [{ code: 'CH' }], pageInfo: { hasNextPage: true, endCursor: 'x' } }
  expect(partIn({ data: { stations: { nodes: list }, countries } }, 5, 'data.stations.nodes')).toBeUndefined()
})

test('a list without a name of its own is one of places', () => {
  for (const beside of [{ total_places: 12 }, { stationCount: 12 }, { counts: { cities: 12 } }])
    expect(partIn({ data: list, ...beside }, 5, 'data')).toMatch(/12 items/)
  expect(partIn({ countries: list, total_cities: 12 }, 5, 'countries')).toBeUndefined()
})

test.each(['network', 'city', 'address'])('the items of one %s are not those that a count of it counts', (name) => {
  expect(partIn({ [name]: { items: list, [`${name}Count`]: 12 } }, 5, `${name}.items`)).toBeUndefined()
})

test('a list under a name of paging gives no other name a meaning', () => {
  expect(partIn({ page: list, page_number: 1, pageTitle: 'x' }, 5, 'page')).toBeUndefined()
})

test('what an object beside the list counts may be the list, unless it is of servers', () => {
  const totals = (beside: object): unknown[] =>
    totalsIn(membersOf({ root: { ...beside, stations: list } }, 'root.stations')).map(({ value }) => value)
  expect(totals({ fields: { totalCount: 12 } })).toEqual([12])
  for (const name of ['_shards', '_clusters', 'nodes', 'hosts', 'rate', 'rate_limit'])
    expect(totals({ [name]: { total: 12 } })).toEqual([])
  const own = membersOf({ hosts: { total: 12, items: list } }, 'hosts.items')
  expect(totalsIn(own).map(({ value }) => value)).toEqual([12])
})
