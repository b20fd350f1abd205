/** An interrupted list whose pages have shifted meanwhile is read from the start, so that nothing is missing. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { InspectResult } from '../../../src/commands/outbox/inspect.js'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { ResumePointError } from '../../../src/errors/index.js'
import { folderWith, owm, owmJson } from '../../support/cli.js'
import {
  type Api,
  api,
  type City,
  cities,
  type Handler,
  idsOf,
  json,
  paged,
  queryOf,
  type Read,
  readAll,
  types,
  upTo,
} from './api.js'

const limit = 10

/** Reads all of a list; then, once it has changed, from the checkpoint behind its third page on. */
async function readOn(type: string, change: (list: City[]) => void): Promise<{ read: Read; server: Api }> {
  const list = cities(50)
  const server = await api((request, response, number) => paged(type, list)(request, response, number))
  const options = { url: server.origin, pagination: { type, limit } }
  const { batches } = await readAll(options)
  change(list)
  server.asked.length = 0
  return { read: await readAll(options, { resume: batches[2]?.resume ?? '' }), server }
}

describe('read on from a checkpoint', () => {
  const changes: [what: string, change: (list: City[]) => void][] = [
    ['some are gone in front', (list) => list.splice(3, 7)],
    ['one is gone in front, and one was appended', (list) => list.push(...list.splice(3, 1))],
    ['the order is another', (list) => list.reverse()],
    ['there are more in front', (list) => list.unshift({ id: 99, name: 'new', lat: 1, lon: 2 })],
    ['the page is gone', (list) => list.splice(20)],
  ]
  test.each(types.flatMap((type) => changes.map(([what, change]) => ({ type, what, change }))))(
    '$type, $what: to be read from the start, after one request',
    async ({ type, change }) => {
      const { read, server } = await readOn(type, change)
      expect(read.error).toBeInstanceOf(ResumePointError)
      expect(read.batches).toEqual([])
      expect(server.asked).toHaveLength(1)
    },
  )

  test.each(types)(
    '%s, unchanged but for what comes and goes with its places: what was stored is not read again',
    async (type) => {
      const { read, server } = await readOn(type, (list) => {
        for (const place of list) Object.assign(place, { name: `${place.name}, now`, temperature: 20 })
      })
      expect(read.error).toBeUndefined()
      expect(idsOf(read)).toEqual(upTo(50).slice(30))
      expect(server.asked).toHaveLength(type === 'page' || type === 'offset' ? 4 : 3)
    },
  )

  test('another total: to be read from the start', async () => {
    const { read } = await readOn('page', (list) => list.push(...cities(51).slice(50)))
    expect(read.error).toBeInstanceOf(ResumePointError)
    expect(String(read.error)).toContain('51 items by now, not 50')
  })

  test('behind its first page that one is asked for again, by cursor, by link, and by links found', async () => {
    for (const pagination of [{ type: 'cursor', limit }, { type: 'link', limit }, { type: undefined }]) {
      const list = cities(30)
      const server = await api((request, response, number) => {
        if (pagination.type !== undefined) return paged(pagination.type, list)(request, response, number)
        const at = Number(/at=(\d+)/.exec(request.url ?? '')?.[1] ?? 0)
        const links = at < 20 ? [{ rel: 'next', href: `/?at=${at + 10}` }] : []
        json(response, { items: list.slice(at, at + 10), links })
      })
      const options = { url: server.origin, pagination }
      const { batches } = await readAll(options)
      const [first] = server.queries()
      server.asked.length = 0
      const resume = batches[0]?.resume ?? ''
      expect(idsOf(await readAll(options, { resume }))).toEqual(upTo(30).slice(10))
      expect(server.queries()[0]).toBe(first)
      list.shift()
      expect((await readAll(options, { resume })).error).toBeInstanceOf(ResumePointError)
    }
  })

  test('a checkpoint of an older version, which tells nothing of its page, is read on', async () => {
    const list = cities(30)
    const server = await api(paged('page', list))
    const options = { url: server.origin, pagination: { limit } }
    const { batches } = await readAll(options)
    const { last, ...older } = JSON.parse(batches[0]?.resume ?? '')
    expect(last).toEqual({ at: 0, hash: expect.stringMatching(/^[0-9a-f]{16}$/) })
    list.push(...cities(31).slice(30))
    server.asked.length = 0
    const read = await readAll(options, { resume: JSON.stringify(older) })
    expect(idsOf(read)).toEqual(upTo(31).slice(10))
    expect(read.warnings).toMatchObject([{ fields: { before: 30, now: 31 } }])
    expect(server.queries()[0]).toContain('page=1')
  })
})

describe('the next cursor or link of the last page, in an answer of today', () => {
  /** How a page of ten names the next one, `at`, with what says in which session that is valid. */
  const forms: [what: string, pagination: object, next: (at: string) => { body?: object; link?: string }][] = [
    ['a cursor', { type: 'cursor', limit }, (at) => ({ body: { next_cursor: at } })],
    ['a link in the body', { type: 'link' }, (at) => ({ body: { next: `/?cursor=${at}` } })],
    ['a link in a header', { type: 'link' }, (at) => ({ link: `</?cursor=${at}>; rel="next"` })],
    ['a list of links', {}, (at) => ({ body: { links: [{ rel: 'next', href: `/?cursor=${at}` }] } })],
  ]

  /** A list whose cursors name a session; for one that is over it answers as `expired` does. */
  async function sessions(next: (typeof forms)[number][2], expired: Handler, total?: number) {
    const state = { session: 1, list: cities(35) }
    const server = await api((request, response, number) => {
      const [session, at = '0'] = (queryOf(request).get('cursor') ?? `${state.session}-0`).split('-')
      if (Number(session) !== state.session) return expired(request, response, number)
      const to = Number(at) + limit
      const { body, link } = to < state.list.length ? next(`${state.session}-${to}`) : {}
      json(response, { data: state.list.slice(Number(at), to), total, ...body }, link === undefined ? {} : { link })
    })
    return { server, state }
  }

  const nothing: Handler = (_, response) => json(response, { data: [] })

  test.each(forms)('%s: reading goes on at that one, not at the stored one', async (_, pagination, next) => {
    for (const total of [undefined, 35]) {
      const { server, state } = await sessions(next, nothing, total)
      const options = { url: server.origin, pagination }
      const { batches } = await readAll(options)
      state.session = 2
      const read = await readAll(options, { resume: batches[0]?.resume ?? '' })
      expect(read.error).toBeUndefined()
      expect(idsOf(read)).toEqual(upTo(35).slice(10))
      // Of a later page nothing is left, which is no end of the list either.
      const later = await readAll(options, { resume: batches[1]?.resume ?? '' })
      expect(later.error).toBeInstanceOf(ResumePointError)
    }
  })

  test.each(forms)('%s that is gone: to be read from the start', async (_, pagination, next) => {
    const { server, state } = await sessions(next, nothing)
    const options = { url: server.origin, pagination }
    const { batches } = await readAll(options)
    state.list.splice(20)
    const read = await readAll(options, { resume: batches[1]?.resume ?? '' })
    expect(read).toMatchObject({ batches: [], error: expect.any(ResumePointError) })
    expect(String(read.error)).toMatch(/the last page that was read names no next (cursor|link) by now/)
  })

  test.each(forms)(
    '%s that an older version stored without its page: to be read from the start',
    async (_, pagination, next) => {
      const { server } = await sessions(next, nothing)
      const options = { url: server.origin, pagination }
      const { batches } = await readAll(options)
      const { last, ...older } = JSON.parse(batches[0]?.resume ?? '')
      server.asked.length = 0
      const read = await readAll(options, { resume: JSON.stringify(older) })
      expect(read).toMatchObject({ batches: [], error: expect.any(ResumePointError) })
      expect(server.asked).toEqual([])
    },
  )
})

describe('owm produce', () => {
  interface Scene {
    cwd: string
    list: City[]
    held: { is: boolean }
    delivered(): Promise<unknown[]>
  }

  const slot = '2026-11-28T00:00:00Z'

  /** A list of 100 whose page 6 doesn't come while it is held. */
  async function scene(): Promise<Scene> {
    const list = cities(100)
    const held = { is: true }
    const server = await api((request, response, number) => {
      if (held.is && request.url?.includes('page=6')) return response.socket?.resetAndDestroy()
      paged('page', list)(request, response, number)
    })
    const cwd = await folderWith({
      source: { use: 'http', url: server.origin, pagination: { limit } },
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: 'outbox.db' },
      flush: { batchSize: 10 },
      retry: { attempts: 2, initialDelayMs: 5, maxDelayMs: 20 },
      breaker: { failures: 1_000 },
    })
    const delivered = async (): Promise<unknown[]> =>
      (await readFile(join(cwd, 'tasks.jsonl'), 'utf8')).match(/"location_id":\d+/g) ?? []
    return { cwd, list, held, delivered }
  }

  test('cut off, and the order of the list turns: all of it comes, and nothing twice', async () => {
    const { cwd, list, held, delivered } = await scene()
    expect(await owm(['produce', '--slot', slot], { cwd })).toMatchObject({ code: 75 })
    list.reverse()
    held.is = false
    const { code, stderr } = await owm(['produce', '--slot', slot], { cwd })
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('is read again from the start') })
    expect(stderr).toContain('the pages have shifted')
    const ids = await delivered()
    expect(ids).toHaveLength(100)
    expect(new Set(ids).size).toBe(100)
  })

  test('a list that shifts before each run is read from its start, until a run reaches its end', async () => {
    const { cwd, list, held, delivered } = await scene()
    for (let start = 0; start < 3; start++) {
      expect(await owm(['produce', '--slot', slot], { cwd })).toMatchObject({ code: 75 })
      list.push(...list.splice(0, 1))
    }
    held.is = false
    const { code, json } = await owmJson<ProduceResult>(['produce', '--slot', slot], { cwd })
    expect({ code, json }).toMatchObject({ code: 0, json: { outbox: { pending: 0 } } })
    const { json: ledger } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })
    expect(ledger.runs.filter(({ state }) => state === 'reading')).toEqual([])
    expect(new Set(await delivered()).size).toBe(100)
    expect(await delivered()).toHaveLength(100)
  })
})
