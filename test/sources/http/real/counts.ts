/** Pages by number or offset, with the counts that well-known APIs and frameworks give with them. */
import { count, from, next, nextPage, paged, type RealApi, slice } from './list.js'

export const counts: RealApi[] = [
  {
    name: 'Contentful',
    answer: (query) => ({
      body: {
        sys: { type: 'Array' },
        total: count,
        skip: from(query, 'skip'),
        limit: 10,
        items: slice(from(query, 'skip')),
      },
    }),
    right: { pagination: { type: 'offset', parameters: { offset: 'skip' } } },
  },
  {
    name: 'WordPress',
    answer: (query) =>
      paged(query) >= count
        ? {
            status: 400,
            body: {
              code: 'rest_post_invalid_page_number',
              message: 'The page number requested is larger',
              data: { status: 400 },
            },
          }
        : {
            body: slice(paged(query)),
            headers: {
              'x-wp-total': '25',
              'x-wp-totalpages': '3',
              ...(next(paged(query)) ? { link: `</p?page=${nextPage(paged(query))}>; rel="next"` } : {}),
            },
          },
    right: {},
  },
  {
    name: 'GitLab',
    answer: (query) => ({
      body: slice(paged(query)),
      headers: {
        'x-total': '25',
        'x-total-pages': '3',
        'x-page': `${paged(query) / 10 + 1}`,
        'x-per-page': '10',
        'x-next-page': next(paged(query)) ? `${nextPage(paged(query))}` : '',
      },
    }),
    right: {},
  },
  {
    name: 'Algolia',
    answer: (query) => ({
      body: {
        hits: slice(from(query, 'page') * 10),
        page: from(query, 'page'),
        nbHits: 25,
        nbPages: 3,
        hitsPerPage: 10,
        exhaustiveNbHits: true,
        query: '',
        params: '',
        processingTimeMS: 1,
      },
    }),
    right: { pagination: { start: 0 } },
  },
  {
    name: 'Solr',
    answer: (query) => ({
      body: {
        responseHeader: { status: 0, QTime: 1, params: { q: '*', rows: '10' } },
        response: { numFound: 25, start: from(query, 'start'), numFoundExact: true, docs: slice(from(query, 'start')) },
      },
    }),
    right: { pagination: { type: 'offset', parameters: { offset: 'start', limit: 'rows' } } },
  },
  {
    name: 'World Bank',
    answer: (query) => ({
      body: [{ page: paged(query) / 10 + 1, pages: 3, per_page: '10', total: 25 }, slice(paged(query))],
    }),
    right: { items: '1', total: '0.total', pagination: { start: 1 } },
  },
  {
    name: 'Laravel',
    answer: (query) => ({
      body: {
        data: slice(paged(query)),
        links: {
          first: 'x',
          last: 'y',
          prev: null,
          next: next(paged(query)) ? `/p?page=${nextPage(paged(query))}` : null,
        },
        meta: { current_page: paged(query) / 10 + 1, from: 1, last_page: 3, per_page: 10, to: 10, total: 25 },
      },
    }),
    right: {},
  },
  {
    name: 'Laravel simple',
    answer: (query) => ({
      body: {
        data: slice(paged(query)),
        current_page: paged(query) / 10 + 1,
        next_page_url: next(paged(query)) ? `/p?page=${nextPage(paged(query))}` : null,
        per_page: 10,
        from: 1,
        to: 10,
      },
    }),
    right: {},
  },
  {
    name: 'Laravel 0',
    answer: (query) => ({ body: { data: slice(paged(query)), meta: { last_page: 3, current_page: 1 } } }),
    right: {},
  },
  {
    name: 'ASP.NET',
    answer: (query) => ({
      body: slice(paged(query)),
      headers: {
        'x-pagination': JSON.stringify({
          TotalCount: 25,
          PageSize: 10,
          CurrentPage: 1,
          TotalPages: 3,
          HasNext: next(paged(query)) !== undefined,
        }),
      },
    }),
    right: {},
  },
  {
    name: 'Yii',
    answer: (query) => ({
      body: slice(paged(query)),
      headers: {
        'x-pagination-total-count': '25',
        'x-pagination-page-count': '3',
        'x-pagination-current-page': '1',
        'x-pagination-per-page': '10',
      },
    }),
    right: { pagination: { start: 1 } },
  },
  {
    name: 'PostgREST',
    answer: (query) => ({
      status: 206,
      body: slice(from(query, 'offset')),
      headers: { 'content-range': `${from(query, 'offset')}-${from(query, 'offset') + 9}/25` },
    }),
    right: { pagination: { type: 'offset' } },
  },
  {
    name: 'TMDB',
    answer: (query) =>
      paged(query) >= count
        ? { status: 422, body: { success: false, status_code: 22, status_message: 'Invalid page' } }
        : { body: { page: 1, results: slice(paged(query)), total_pages: 3, total_results: 25 } },
    right: {},
  },
  {
    name: 'Meilisearch',
    answer: (query) => ({
      body: {
        hits: slice(from(query, 'offset')),
        offset: 0,
        limit: 10,
        estimatedTotalHits: 25,
        query: '',
        processingTimeMs: 0,
      },
    }),
    right: { pagination: { type: 'offset' } },
  },
  {
    name: 'Typesense',
    answer: (query) => ({
      body: {
        found: 25,
        out_of: 1000,
        page: 1,
        search_time_ms: 1,
        hits: slice(paged(query)),
        request_params: { per_page: 10 },
      },
    }),
    right: { pagination: { start: 1 } },
  },
  {
    name: 'Strapi',
    answer: (query) => ({
      body: {
        data: slice(paged(query, 'pagination[page]')),
        meta: { pagination: { page: 1, pageSize: 10, pageCount: 3, total: 25 } },
      },
    }),
    right: { pagination: { parameters: { page: 'pagination[page]' } } },
  },
  {
    name: 'Hydra',
    answer: (query) => ({
      body: {
        '@context': 'x',
        'hydra:member': slice(paged(query)),
        'hydra:totalItems': 25,
        'hydra:view': {
          '@id': 'x',
          '@type': 'hydra:PartialCollectionView',
          ...(next(paged(query)) ? { 'hydra:next': `/p?page=${nextPage(paged(query))}` } : {}),
        },
      },
    }),
    right: {},
  },
  {
    name: 'Hydra without a total',
    answer: (query) => ({
      body: {
        '@context': 'x',
        'hydra:member': slice(paged(query)),
        'hydra:view': {
          '@id': 'x',
          ...(next(paged(query)) ? { 'hydra:next': `/p?page=${nextPage(paged(query))}` } : {}),
        },
      },
    }),
    right: {},
  },
  {
    name: 'Rick and Morty',
    answer: (query) =>
      paged(query) >= count
        ? { status: 404, body: { error: 'There is nothing here' } }
        : {
            body: {
              info: {
                count: 25,
                pages: 3,
                next: next(paged(query)) ? `/p?page=${nextPage(paged(query))}` : null,
                prev: null,
              },
              results: slice(paged(query)),
            },
          },
    right: {},
  },
  {
    name: 'object next',
    answer: (query) => ({
      body: {
        results: slice(paged(query)),
        ...(next(paged(query)) ? { next: { page: nextPage(paged(query)), limit: 10 } } : {}),
      },
    }),
    right: {},
  },
  {
    name: 'mongoose',
    answer: (query) => ({
      body: {
        docs: slice(paged(query)),
        totalDocs: 25,
        limit: 10,
        totalPages: 3,
        page: 1,
        pagingCounter: 1,
        hasPrevPage: false,
        hasNextPage: next(paged(query)) !== undefined,
        prevPage: null,
        nextPage: next(paged(query)) ? nextPage(paged(query)) : null,
      },
    }),
    right: {},
  },
  {
    name: 'Sequelize',
    answer: (query) => ({ body: { count: 25, rows: slice(from(query, 'offset')) } }),
    right: { pagination: { type: 'offset' } },
  },
  {
    name: 'DataTables',
    answer: (query) => ({
      body: { draw: 1, recordsTotal: 25, recordsFiltered: 25, data: slice(from(query, 'start')) },
    }),
    right: { pagination: { type: 'offset', parameters: { offset: 'start', limit: 'length' } } },
  },
  {
    name: 'JSON:API page',
    answer: (query) => ({
      body: {
        data: slice(paged(query, 'page[number]')).map(({ id, ...attributes }) => ({ id, attributes })),
        links: {
          next: next(paged(query, 'page[number]'))
            ? `/p?page%5Bnumber%5D=${nextPage(paged(query, 'page[number]'))}`
            : null,
        },
        meta: { page: { total: 25 } },
      },
    }),
    right: {
      pagination: { type: 'link' },
      fields: { city: 'attributes.name', latitude: 'attributes.lat', longitude: 'attributes.lon' },
    },
  },
  {
    name: 'Socrata',
    answer: (query) => ({ body: slice(from(query, '$offset')) }),
    isSilent: true,
    right: { pagination: { type: 'offset', parameters: { offset: '$offset', limit: '$limit' } } },
  },
]
