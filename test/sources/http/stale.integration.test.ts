/** An interrupted list whose stored place the server now refuses is read from the start, unless all is refused. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { ConfigurationError, ResumePointError, TransientError } from '../../../src/errors/index.js'
import { folderWith, owmJson } from '../../support/cli.js'
import { type Api, api, cities, idsOf, json, queryOf, readAll, upTo } from './api.js'

type Refuse = (response: ServerResponse) => void

interface Scene {
  server: Api
  /** How requests are refused by their session, which the first page has none of; undefined lets them in. */
  state: { session: number; stale: Refuse; first: Refuse | undefined; held: boolean }
}

const status =
  (code: number, headers = {}): Refuse =>
  (response) =>
    response.writeHead(code, headers).end('Signature expired')

/** 40 places; cursors and links are valid in their session only, and the page behind 20 is held back. */
async function sessions(stale: Refuse): Promise<Scene> {
  const state: Scene['state'] = { session: 1, stale, first: undefined, held: false }
  const list = cities(40)
  const server = await api((request, response) => {
    const [session, at = '0'] = (queryOf(request).get('cursor') ?? '').split('-')
    if (session === '' && state.first) return state.first(response)
    if (session !== '' && Number(session) !== state.session) return state.stale(response)
    if (state.held && Number(at) > 20) return status(503)(response)
    const to = Number(at) + 10
    const next = to < list.length ? `${state.session}-${to}` : null
    json(response, { data: list.slice(Number(at), to), next_cursor: next, next: next && `/?cursor=${next}` })
  })
  return { server, state }
}

const ways = [{ type: 'cursor', limit: 10 }, { type: 'link' }]

/** What comes from a checkpoint behind the third page, in another session. */
async function readOn(stale: Refuse, pagination: object, first?: Refuse) {
  const { server, state } = await sessions(stale)
  const options = { url: server.origin, pagination }
  const { batches } = await readAll(options)
  Object.assign(state, { session: 2, first })
  server.asked.length = 0
  return { server, ...(await readAll(options, { resume: batches[2]?.resume ?? '' })) }
}

const refusals: [what: string, stale: Refuse][] = [
  ...[401, 403, 405, 409, 451, 500, 503].map((code): [string, Refuse] => [String(code), status(code)]),
  ['200 with an error', (response) => json(response, { error: 'Signature expired' })],
  ['200 with a page of HTML', (response) => response.end('<html>Expired</html>')],
  ['no answer', (response) => response.destroy()],
]

describe.each(ways)('$type', (pagination) => {
  test.each(refusals)('%s for the stored place, and a good first page: to be read from the start', async (_, stale) => {
    const { error, batches, server } = await readOn(stale, pagination)
    expect(error).toBeInstanceOf(ResumePointError)
    expect(String(error)).toContain(`the ${pagination.type} where reading stopped is valid no more: `)
    expect(batches).toEqual([])
    expect(server.asked).toHaveLength(3)
  })

  test.each(refusals)('%s for all there is: that is the error', async (_, stale) => {
    const { error } = await readOn(stale, pagination, stale)
    expect(error).not.toBeInstanceOf(ResumePointError)
    expect(error).toBeInstanceOf(/\b(401|403|405|409|451)\b/.test(String(error)) ? ConfigurationError : TransientError)
  })

  test('an empty first page is no reason to read from the start', async () => {
    const { error } = await readOn(status(403), pagination, (response) => json(response, { data: [] }))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain('answered 403 Forbidden')
  })

  test.each([
    ['429', status(429)],
    ['503 with Retry-After', status(503, { 'retry-after': '0' })],
    ['403 with a limit', status(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '0' })],
  ])('%s is waited for, and the first page not asked for', async (_, stale) => {
    const { error, server } = await readOn(stale, pagination)
    expect(error).toBeInstanceOf(TransientError)
    expect(error).not.toBeInstanceOf(ResumePointError)
    expect(new Set(server.queries()).size).toBe(1)
    expect(server.asked).toHaveLength(3)
  })

  test('a server that fails once is read on', async () => {
    const { server, state } = await sessions(status(500))
    const options = { url: server.origin, pagination }
    const { batches } = await readAll(options)
    state.session = 2
    state.stale = (response) => {
      state.session = 1
      status(500)(response)
    }
    expect(idsOf(await readAll(options, { resume: batches[2]?.resume ?? '' }))).toEqual(upTo(40).slice(30))
  })
})

test.each([
  ['403', status(403)],
  ['500', status(500)],
  ['an error with 200', (response: ServerResponse) => json(response, { error: 'Signature expired' })],
])('owm produce: links that expire (%s) cost neither their slot nor the next one', async (_, stale) => {
  const { server, state } = await sessions(stale)
  const cwd = await folderWith({
    source: { use: 'http', url: server.origin, pagination: { type: 'link' } },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    flush: { batchSize: 10 },
    retry: { attempts: 3, initialDelayMs: 5, maxDelayMs: 20 },
    breaker: { failures: 4 },
  })
  state.held = true
  expect(await owmJson(['produce', '--slot', '2026-11-28T05:00:00Z'], { cwd })).toMatchObject({ code: 75 })
  Object.assign(state, { session: 2, held: false })
  const { code, json } = await owmJson<ProduceResult>(['produce', '--slot', '2026-11-28T06:00:00Z'], { cwd })
  expect({ code, json }).toMatchObject({ code: 0, json: { source: { read: 40 }, outbox: { pending: 0 } } })
  expect(json.served).toMatchObject([
    { slot: '2026-11-28T05:00:00Z', read: 40, state: 'done' },
    { slot: '2026-11-28T06:00:00Z', read: 40, state: 'done' },
  ])
})
