/** A next page that an answer names among its links, in whichever way: it is followed, or it is an error. */
import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/errors/index.js'
import { type Api, api, cities, expectAll, idsOf, json, numberIn, queryOf, type Read, readAll, upTo } from './api.js'

const all = cities(12)

/** Pages of 5 by offset; each but the last has what leads to the next one. */
const listed = (leading: (next: string) => object, ending: object = {}): Promise<Api> =>
  api((request, response) => {
    const from = numberIn(queryOf(request), 'o', 0)
    const more = from + 5 < 12 ? leading(`/?o=${from + 5}`) : ending
    json(response, { data: all.slice(from, from + 5), ...more })
  })

const byLink = ({ origin }: Api, options: object = {}): Promise<Read> =>
  readAll({ url: origin, pagination: { type: 'link' }, ...options }, { attempts: 1 })

describe('the relations of a link', () => {
  test.each<[what: string, rel: unknown]>([
    ['a word', 'next'],
    ['a list (Siren)', ['next']],
    ['several in a list', ['section', 'next']],
    ['several words', 'self next'],
    ['capitals', 'NEXT'],
    ['a URI', 'http://www.iana.org/assignments/relation/next'],
    ['a name with its namespace', 'hydra:next'],
    ['another name', 'next_page'],
  ])('%s', async (_, rel) => {
    const server = await listed((href) => ({
      links: [
        { rel: ['self'], href: '/' },
        { rel, href },
      ],
    }))
    expectAll(await byLink(server), 12)
    expectAll(await byLink(server, { pagination: {} }), 12)
    const unfollowed = await byLink(server, { pagination: { type: 'cursor' } })
    expect(unfollowed.error).toMatchObject({ hint: expect.stringMatching('pagination.type to link') })
  })

  test.each<[what: string, leading: (next: string) => object]>([
    ['attributes of XML', (next) => ({ links: [{ '@rel': 'next', '@href': next }] })],
    ['attributes of XML in an object', (next) => ({ links: [{ $: { rel: 'next', href: next } }] })],
    ['capitals', (next) => ({ Links: [{ Rel: 'Next', Href: next }] })],
    ['JSON-LD', (next) => ({ links: [{ rel: 'hydra:next', '@id': next }] })],
    ['words of a person', (next) => ({ links: [{ label: 'Next &raquo;', url: next }] })],
    ['a list in links', (next) => ({ links: { link: [{ rel: ['next'], href: next }] } })],
    ['one link, and no list', (next) => ({ link: { rel: 'next', href: next } })],
    ['a list of one in HAL', (next) => ({ _links: { next: [{ href: next }] } })],
    ['an object', (next) => ({ next: { url: next, page: 2 } })],
  ])('under other keys: %s', async (_, leading) => {
    expectAll(await byLink(await listed(leading), { items: 'data' }), 12)
  })

  test('OData 3: followed by itself, relative as it is', async () => {
    expectAll(await byLink(await listed((next) => ({ 'odata.nextLink': next.replace('/', 'Stations') }))), 12)
    expectAll(await byLink(await listed((next) => ({ 'odata.count': '12', 'odata.nextLink': next }))), 12)
  })

  test('of something else than the next page lead nowhere', async () => {
    for (const rel of ['next-archive', ['prev'], 'last'])
      expect((await byLink(await listed((href) => ({ links: [{ rel, href }] })))).error).toBeUndefined()
  })

  test('that has to be asked for by POST: an error', async () => {
    const server = await listed((href) => ({ links: [{ rel: ['next'], href, method: 'POST' }] }))
    expect((await byLink(server)).error).toMatchObject({ message: expect.stringMatching(/asked for by POST/) })
  })

  test.each<[at: string, leading: (next: string) => object]>([
    ['hydra:view.hydra:next', (next) => ({ 'hydra:view': { 'hydra:next': next } })],
    ['next', (next) => ({ 'as:next': next })],
    [
      '_links.http://www.iana.org/assignments/relation/next',
      (next) => ({
        _links: { 'http://www.iana.org/assignments/relation/next': { href: next } },
      }),
    ],
    ['navigation.next', (next) => ({ navigation: [{ rel: ['NEXT'], href: next }] })],
    ['more_results_url', (next) => ({ more_results_url: next })],
  ])('what is not followed by itself is named in the error, and followed then: %s', async (at, leading) => {
    const server = await listed(leading)
    const { error } = await byLink(server)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ message: expect.stringContaining(at) })
    const named = at === 'next' ? 'as:next' : at
    expectAll(await byLink(server, { next: named }), 12)
  })
})

describe('what the configured URL has beside the link', () => {
  /** A server without regard to case, which heeds the last of several values; it leads on by its own names. */
  const served = (first: string, next: (from: number) => string): Promise<Api> =>
    api((request, response) => {
      const query = new Map([...queryOf(request)].map(([key, value]) => [key.toLowerCase(), value]))
      if (query.get('apikey') !== 'k3y') return response.writeHead(401).end()
      const from = query.has(first) ? 0 : Number(query.get('startat') ?? 0)
      json(response, { data: all.slice(from, from + 5), next: from + 5 < 12 ? next(from + 5) : null })
    })

  test.each<[what: string, url: string, first: string, next: (from: number) => string]>([
    ['the same in capitals', '?apiKey=k3y&startAt=0', '', (from) => `/?APIKEY=k3y&STARTAT=${from}`],
    ['a page, and another name', '?apiKey=k3y&page=1', 'page', (from) => `/?startAt=${from}`],
    ['a page in brackets', '?apiKey=k3y&page[number]=1', 'page[number]', (from) => `/?startAt=${from}`],
    ['a cursor', '?cursorMark=*&apiKey=k3y', 'cursormark', (from) => `/?startAt=${from}&apiKey=k3y`],
    ['an offset', '?$skip=0&apiKey=k3y', '$skip', (from) => `/?startAt=${from}&APIkey=k3y`],
  ])('%s: the start does not come again, the key is not kept', async (_, query, first, next) => {
    const server = await served(first, next)
    const options = { url: `${server.origin}/${query}`, pagination: { type: 'link' } }
    const read = await readAll(options, { attempts: 1 })
    expectAll(read, 12)
    expect(read.batches[0]?.resume).not.toContain('k3y')
    expect(idsOf(await readAll(options, { resume: read.batches[0]?.resume ?? '' }))).toEqual(upTo(12).slice(5))
  })

  test('a time, a size or a page further on goes along', async () => {
    const server = await served('none', (from) => `/?startAt=${from}`)
    const query = 'apiKey=k3y&start=2026-11-28&from=5&size=1&page=2'
    expectAll(await readAll({ url: `${server.origin}/?${query}`, pagination: { type: 'link' } }), 12)
    expect(server.queries()[1]).toBe(`startAt=5&${query}`)
  })
})

test.each<[what: string, more: object]>([
  ['a flag as a letter', { hasNext: 'Y' }],
  ['a last page that is none', { isLast: 'N' }],
  ['a number of items that remain', { metadata: { remainingItemCount: 7 } }],
  ['where a query goes on (MediaWiki)', { continue: { gapcontinue: 'B', continue: '||' } }],
  ['a token (Kubernetes)', { metadata: { continue: 'abc' } }],
])('%s is a sign of more', async (_, more) => {
  expect((await byLink(await listed(() => more))).error).toBeInstanceOf(ConfigurationError)
})

test.each<[what: string, ending: object]>([
  ['an empty link', { links: [{ rel: 'next', href: '' }] }],
  ['nothing but a fragment', { links: [{ rel: 'next', href: '#' }] }],
  ['a link that is null', { links: [{ rel: ['next'], href: null }] }],
  ['an empty list', { _links: { next: [] } }],
  ['an object without a link', { next: { url: null } }],
  ['none that remain', { remainingItemCount: 0 }],
])('%s is none', async (_, ending) => {
  const server = await listed((href) => ({ links: [{ rel: 'next', href }] }), { numberMatched: 12, ...ending })
  expectAll(await byLink(server), 12)
})

describe('hints name what can be followed', () => {
  test.each<[more: object, hint: string]>([
    [{ next: { after: 'abc' } }, 'Set source.pagination.type to cursor, and source.next to next.after.'],
    [{ next: [1, 'x'] }, "Set source.pagination as the server's pages are asked for, or ask for all at once."],
    [{ _scroll_id: 'DnF1ZXJ5' }, "Scrolls can't be followed. Set source.pagination: {type: offset, "],
    [{ nextResults: 'Stations?$skiptoken=5' }, 'Set source.pagination.type to link, and source.next to nextResults.'],
    [{ next: { page: 2 } }, 'Set source.pagination.type to page or offset, as the server counts.'],
  ])('%j', async (more, hint) => {
    expect((await byLink(await listed(() => more))).error).toMatchObject({ hint: expect.stringContaining(hint) })
  })
})
