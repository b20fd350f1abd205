/** Cursors, tokens and markers, by the names that they have in well-known APIs. */
import { next, type RealApi, slice } from './list.js'

const at0 = (query: URLSearchParams, name: string): number => Number((query.get(name) ?? 'c0').slice(1))
const tokenBehind = (at: number): string | undefined => (next(at) === undefined ? undefined : `c${next(at)}`)

function cursor(
  name: string,
  parameter: string,
  body: (at: number, token: string | undefined) => unknown,
  right: Record<string, unknown> = {},
): RealApi {
  return {
    name,
    answer: (query) => ({ body: body(at0(query, parameter), tokenBehind(at0(query, parameter))) }),
    right: { pagination: { type: 'cursor', parameters: { cursor: parameter } }, ...right },
  }
}

export const cursors: RealApi[] = [
  cursor('Google', 'pageToken', (at, token) => ({ kind: 'places', nextPageToken: token, items: slice(at) })),
  cursor('Airtable', 'offset', (at, token) => ({ records: slice(at), offset: token }), { next: 'offset' }),
  cursor('Notion', 'start_cursor', (at, token) => ({
    object: 'list',
    results: slice(at),
    next_cursor: token ?? null,
    has_more: token !== undefined,
  })),
  cursor(
    'Zendesk',
    'page[after]',
    (at, token) => ({
      places: slice(at),
      meta: { has_more: token !== undefined, after_cursor: `c${at + 10}`, before_cursor: 'x' },
      links: { next: `/x?page[after]=c${at + 10}`, prev: 'x' },
    }),
    { next: 'meta.after_cursor' },
  ),
  cursor('Slack', 'cursor', (at, token) => ({
    ok: true,
    members: slice(at),
    response_metadata: { next_cursor: token ?? '' },
  })),
  cursor(
    'Facebook',
    'after',
    (at, token) => ({
      data: slice(at),
      paging: { cursors: { before: 'b', after: `c${at + 10}` }, ...(token ? { next: `/places?after=${token}` } : {}) },
    }),
    { pagination: { type: 'link' } },
  ),
  cursor(
    'HubSpot',
    'after',
    (at, token) => ({
      results: slice(at),
      ...(token ? { paging: { next: { after: token, link: `/places?after=${token}` } } } : {}),
    }),
    { next: 'paging.next.after' },
  ),
  cursor('Square', 'cursor', (at, token) => ({ locations: slice(at), cursor: token }), { next: 'cursor' }),
  cursor(
    'Twitter 1',
    'cursor',
    (at, token) => ({
      users: slice(at),
      next_cursor: token ? next(at) : 0,
      next_cursor_str: token ?? '0',
      previous_cursor: 0,
    }),
    { next: 'next_cursor_str' },
  ),
  cursor('Twitter 2', 'pagination_token', (at, token) => ({
    data: slice(at),
    meta: { result_count: slice(at).length, next_token: token },
  })),
  cursor(
    'Reddit',
    'after',
    (at, token) => ({
      kind: 'Listing',
      data: { after: token ?? null, before: null, dist: slice(at).length, children: slice(at) },
    }),
    { next: 'data.after' },
  ),
  cursor(
    'DynamoDB',
    'start',
    (at, token) => ({
      Count: slice(at).length,
      ScannedCount: 99,
      Items: slice(at),
      ...(token ? { LastEvaluatedKey: { id: { S: token } } } : {}),
    }),
    { next: 'LastEvaluatedKey.id.S' },
  ),
  cursor(
    'S3',
    'token',
    (at, token) => ({
      IsTruncated: token !== undefined,
      Contents: slice(at),
      NextContinuationToken: token,
      KeyCount: slice(at).length,
      MaxKeys: 1000,
    }),
    { next: 'NextContinuationToken' },
  ),
  cursor('S3 marker', 'marker', (at, token) => ({ Contents: slice(at), NextMarker: token }), { next: 'NextMarker' }),
  cursor('continuation', 'continuationToken', (at, token) => ({ value: slice(at), continuationToken: token })),
  cursor('nested page', 'cursor', (at, token) => ({ data: slice(at), page: { cursor: { next: token ?? null } } })),
  cursor('resumption', 'resumptionToken', (at, token) => ({ records: slice(at), resumptionToken: token }), {
    next: 'resumptionToken',
  }),
  cursor('nextPage', 'page_id', (at, token) => ({ records: slice(at), nextPageId: token }), { next: 'nextPageId' }),
  cursor('bookmark', 'bookmark', (at, token) => ({ docs: slice(at), bookmark: token ?? 'nil', total: 25 }), {
    next: 'bookmark',
  }),
  cursor('scroll', 'scroll', (at, token) => ({ items: slice(at), scrollId: token }), { next: 'scrollId' }),
  cursor('search_after', 'after', (at, token) => ({ items: slice(at), search_after: token ? [token] : null }), {
    next: 'search_after.0',
  }),
  cursor(
    'lastId',
    'last_id',
    (at, token) => ({ items: slice(at), more: token !== undefined, last_id: `c${at + 10}` }),
    { next: 'last_id' },
  ),
  {
    name: 'header cursor',
    answer: (query) => ({
      body: slice(at0(query, 'cursor')),
      headers: tokenBehind(at0(query, 'cursor')) ? { 'x-next-cursor': `${tokenBehind(at0(query, 'cursor'))}` } : {},
    }),
    right: undefined,
  },
]
