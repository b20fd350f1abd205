/** Standards and products, most of them of maps, data and the weather. */
import { count, feature, from, link, most, next, paged, type RealApi, slice } from './list.js'

export const standards: RealApi[] = [
  {
    name: 'api.weather.gov',
    answer: (query) => {
      const at = from(query, 'cursor')
      const features = slice(at).map(feature)
      return { body: { type: 'FeatureCollection', features, pagination: { next: link(at + 10, 'cursor') } } }
    },
    right: { pagination: { type: 'link', end: 'empty' } },
  },
  {
    name: 'OGC API Features',
    answer: (query) => {
      const at = from(query, 'offset')
      const more = next(at) === undefined ? [] : [{ rel: 'next', type: 'application/geo+json', href: link(next(at)) }]
      const links = [{ rel: 'self', href: '/places' }, ...more]
      const features = slice(at).map(feature)
      return {
        body: { type: 'FeatureCollection', features, links, numberMatched: count, numberReturned: features.length },
      }
    },
    right: {},
  },
  {
    name: 'STAC without counts, by token',
    answer: (query) => {
      const at = Number((query.get('token') ?? 'next:0').slice(5))
      const more = next(at) === undefined ? [] : [{ rel: 'next', href: `/places?token=next:${next(at)}` }]
      return { body: { type: 'FeatureCollection', features: slice(at).map(feature), links: more } }
    },
    right: {},
  },
  {
    name: 'ArcGIS FeatureServer',
    answer: (query) => {
      const at = from(query, 'resultOffset')
      const features = slice(at).map(({ id, name, lat, lon }) => ({
        attributes: { id, name },
        geometry: { x: lon, y: lat },
      }))
      return { body: { features, ...(next(at) === undefined ? {} : { exceededTransferLimit: true }) } }
    },
    right: {
      pagination: { type: 'offset', parameters: { offset: 'resultOffset', limit: 'resultRecordCount' } },
      fields: { id: 'attributes.id', city: 'attributes.name', latitude: 'geometry.y', longitude: 'geometry.x' },
    },
  },
  {
    name: 'ArcGIS FeatureServer as GeoJSON',
    answer: (query) => {
      const at = from(query, 'resultOffset')
      const properties = next(at) === undefined ? {} : { exceededTransferLimit: true }
      return { body: { type: 'FeatureCollection', properties, features: slice(at).map(feature) } }
    },
    right: { pagination: { type: 'offset', parameters: { offset: 'resultOffset' } } },
  },
  ...[false, true].map(
    (hasTotal): RealApi => ({
      name: `CKAN's datastore, ${hasTotal ? 'with its total' : 'without'}`,
      answer: (query) => {
        const at = from(query, 'offset')
        const result = { records: slice(at), _links: { start: '/places', next: link(at + 10) }, limit: 10 }
        return { body: { success: true, result: hasTotal ? { ...result, total: count } : result } }
      },
      right: { pagination: { type: 'link', ...(hasTotal ? {} : { end: 'empty' }) } },
    }),
  ),
  {
    name: 'CKAN by offset',
    answer: (query) => {
      const at = from(query, 'offset')
      return { body: { success: true, result: { records: slice(at), _links: { next: link(at + 10) }, total: count } } }
    },
    right: { pagination: { type: 'offset' } },
  },
  {
    name: 'GBIF',
    answer: (query) => {
      const at = from(query, 'offset')
      const endOfRecords = next(at) === undefined
      return { body: { offset: at, limit: 10, endOfRecords, count, results: slice(at), facets: [] } }
    },
    right: { pagination: { type: 'offset' } },
  },
  {
    name: 'OpenAQ v3',
    answer: (query) => {
      const at = paged(query)
      const found = next(at) === undefined ? count : `>${at + most}`
      return { body: { meta: { name: 'openaq-api', page: at / 10 + 1, limit: 10, found }, results: slice(at) } }
    },
    right: {},
  },
  {
    name: 'GeoServer WFS',
    answer: (query) => {
      const at = from(query, 'startIndex')
      const features = slice(at).map(feature)
      const counts = { totalFeatures: count, numberMatched: count, numberReturned: features.length }
      return { body: { type: 'FeatureCollection', features, ...counts, timeStamp: '2026-11-26T00:00:00Z' } }
    },
    right: { pagination: { type: 'offset', parameters: { offset: 'startIndex', limit: 'count' } } },
  },
  {
    name: 'Drupal JSON:API',
    answer: (query) => {
      const at = from(query, 'page[offset]')
      const href = `/places?page%5Boffset%5D=${next(at)}`
      const links = { self: { href: '/places' }, ...(next(at) === undefined ? {} : { next: { href } }) }
      const data = slice(at).map(({ id, ...attributes }) => ({ type: 'node', id, attributes }))
      return { body: { jsonapi: { version: '1.0' }, data, links } }
    },
    right: {
      pagination: { type: 'link' },
      fields: { city: 'attributes.name', latitude: 'attributes.lat', longitude: 'attributes.lon' },
    },
  },
  {
    name: 'Django REST, by page',
    answer: (query) => {
      const page = Number(query.get('page') ?? 1)
      const at = (page - 1) * most
      if (page < 1 || at >= count) return { status: 404, body: { detail: 'Invalid page.' } }
      const onward = next(at) === undefined ? null : `/places?page=${page + 1}`
      return { body: { count, next: onward, previous: null, results: slice(at) } }
    },
    right: {},
  },
  {
    name: 'Django REST, by cursor',
    answer: (query) => {
      const at = Number((query.get('cursor') ?? 'c0').slice(1))
      const onward = next(at) === undefined ? null : `/places?cursor=c${next(at)}`
      return { body: { next: onward, previous: null, results: slice(at) } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: "GitHub's lists",
    answer: (query) => {
      const at = paged(query)
      const onward = `</places?page=${at / 10 + 2}>; rel="next", </places?page=3>; rel="last"`
      return { body: slice(at), headers: next(at) === undefined ? {} : { link: onward } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: "GitHub's search",
    answer: (query) => ({ body: { total_count: count, incomplete_results: false, items: slice(paged(query)) } }),
    right: {},
  },
  {
    name: 'Stripe',
    answer: (query) => {
      const after = query.get('starting_after')
      const at = after === null ? 0 : Number(after) + 1
      return { body: { object: 'list', url: '/v1/places', has_more: next(at) !== undefined, data: slice(at) } }
    },
    right: { pagination: { type: 'cursor', parameters: { cursor: 'starting_after' } }, next: 'data.9.id' },
  },
  {
    name: 'Elasticsearch',
    answer: (query) => {
      const hits = slice(from(query, 'from')).map((city) => ({ _id: city.id, _source: city }))
      const shards = { total: 1, successful: 1, skipped: 0, failed: 0 }
      return {
        body: { took: 3, timed_out: false, _shards: shards, hits: { total: { value: count, relation: 'eq' }, hits } },
      }
    },
    right: {
      pagination: { type: 'offset', parameters: { offset: 'from', limit: 'size' } },
      fields: { id: '_id', city: '_source.name', latitude: '_source.lat', longitude: '_source.lon' },
    },
  },
  {
    name: 'Salesforce',
    answer: (_, path) => {
      const at = Number(/-(\d+)$/.exec(path)?.[1] ?? 0)
      const onward = next(at) === undefined ? {} : { nextRecordsUrl: `/query/01g-${next(at)}` }
      return { body: { totalSize: count, done: next(at) === undefined, ...onward, records: slice(at) } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: 'OData 4',
    answer: (query) => {
      const at = from(query, '$skip')
      const onward = next(at) === undefined ? {} : { '@odata.nextLink': `/places?$skip=${next(at)}` }
      return { body: { '@odata.context': '$metadata#Places', value: slice(at), ...onward } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: 'OData 2',
    answer: (query) => {
      const at = from(query, '$skip')
      const onward = next(at) === undefined ? {} : { __next: `/places?$skip=${next(at)}` }
      return { body: { d: { results: slice(at), __count: String(count), ...onward } } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: 'SensorThings',
    answer: (query) => {
      const at = from(query, '$skip')
      const onward = next(at) === undefined ? {} : { '@iot.nextLink': `/places?$skip=${next(at)}` }
      return { body: { '@iot.count': count, value: slice(at), ...onward } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: "NOAA's climate data, whose offsets count from 1",
    answer: (query) => {
      const offset = Math.max(1, from(query, 'offset'))
      const results = slice(offset - 1)
      return { body: results.length === 0 ? {} : { metadata: { resultset: { offset, count, limit: 10 } }, results } }
    },
    right: { pagination: { type: 'offset', start: 1 }, total: 'metadata.resultset.count' },
  },
  {
    name: 'HAL',
    answer: (query) => {
      const at = paged(query)
      const onward = next(at) === undefined ? {} : { next: { href: `/places?page=${at / 10 + 2}` } }
      return { body: { _embedded: { places: slice(at) }, _links: { self: { href: '/places' }, ...onward } } }
    },
    right: { pagination: { type: 'link' } },
  },
  {
    name: 'Spring Data',
    answer: (query) => {
      const number = from(query, 'page')
      const at = number * most
      const pageable = { offset: at, pageNumber: number, pageSize: 10, paged: true, unpaged: false }
      const counts = { totalElements: count, totalPages: 3, size: 10, number, numberOfElements: slice(at).length }
      return { body: { content: slice(at), pageable, last: at >= 20, first: at === 0, empty: at >= count, ...counts } }
    },
    right: {},
  },
  {
    name: 'Spring Data, a slice',
    answer: (query) => {
      const number = from(query, 'page')
      return { body: { content: slice(number * 10), last: number >= 2, first: number === 0, size: 10, number } }
    },
    right: {},
  },
  {
    name: "GraphQL's connections",
    answer: (query) => {
      const at = Number((query.get('after') ?? 'c0').slice(1))
      const pageInfo = { hasNextPage: next(at) !== undefined, endCursor: `c${at + 10}` }
      const edges = slice(at).map((node) => ({ cursor: `c${node.id + 1}`, node }))
      return { body: { data: { viewer: { places: { edges, pageInfo } } } } }
    },
    right: {
      pagination: { type: 'cursor', parameters: { cursor: 'after' } },
      items: 'data.viewer.places.edges',
      next: 'data.viewer.places.pageInfo.endCursor',
      fields: { id: 'node.id', city: 'node.name', latitude: 'node.lat', longitude: 'node.lon' },
    },
  },
]
