import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { InspectResult } from '../../../src/commands/outbox/inspect.js'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { folderWith, owm, owmJson, startOwm, until } from '../../support/cli.js'
import { type RedisProcess, startRedisProcess } from '../../support/redis.js'
import { type Api, api, cities, closed, json, listening, numberIn, paged, queryOf, upTo } from './api.js'

const slot = '2026-11-23T10:00:00Z'
const token = 't0p-s3cret/="token'

let redis: RedisProcess | undefined
beforeAll(async () => {
  redis = await startRedisProcess()
})
afterAll(() => redis?.stop())

/** A folder with a configuration; its stream is `name`. */
async function scene(name: string, url: string, more: object = {}): Promise<string> {
  return folderWith({
    source: { use: 'http', url, pagination: { limit: 10 }, auth: { bearer: `\${API_TOKEN}` }, ...more },
    sink: { use: 'redis-stream', url: redis?.url, stream: name },
    outbox: { path: 'outbox.db' },
    flush: { batchSize: 10 },
    retry: { attempts: 3, initialDelayMs: 5, maxDelayMs: 20 },
    breaker: { failures: 1_000 },
  })
}

/** The ids of the locations in a stream, in its order. */
async function delivered(name: string): Promise<unknown[]> {
  const client = new Redis(redis?.url ?? '')
  try {
    const entries = await client.xrange(name, '-', '+')
    return entries.map(([, fields]) => {
      const task: unknown = JSON.parse(fields[1] ?? '')
      return typeof task === 'object' && task !== null && 'location_id' in task ? task.location_id : undefined
    })
  } finally {
    client.disconnect()
  }
}

const env = { API_TOKEN: token }
const pagesOf = (server: Api): number[] =>
  server.queries().map((query) => numberIn(new URLSearchParams(query), 'page', -1))

describe('owm produce', () => {
  test('killed in the middle: the next start asks for one stored page again; nothing comes twice', async () => {
    const good = paged('page', cities(100))
    let holds = true
    const server = await api((request, response, number) => {
      // Page 6 never comes: so what was stored is known.
      if (holds && queryOf(request).get('page') === '6') return
      good(request, response, number)
    })
    const cwd = await scene('killed', `${server.origin}/cities/`)
    const { child, ended } = startOwm(['produce', '--slot', slot], { cwd, env })
    await until(async () => (await delivered('killed')).length === 60)
    child.kill('SIGKILL')
    expect(await ended).toMatchObject({ signal: 'SIGKILL' })
    expect(pagesOf(server)).toEqual([0, 1, 2, 3, 4, 5, 6])

    holds = false
    const { json } = await owmJson<ProduceResult>(['produce', '--slot', slot], { cwd, env })
    expect(json).toMatchObject({ source: { read: 100, rejected: 0, duplicates: 0 }, outbox: { pending: 0 } })
    // Page 10 shows that the total is right.
    expect(pagesOf(server).slice(7)).toEqual([5, 6, 7, 8, 9, 10])
    expect(await delivered('killed')).toEqual(upTo(100))
  })

  test('killed in the middle, and the cursor expires: read from the start, and nothing comes twice', async () => {
    const good = paged('cursor', cities(100))
    let isUp = false
    const server = await api((request, response, number) => {
      if (queryOf(request).get('cursor') !== 'after-60') return good(request, response, number)
      if (!isUp) return
      if (server.queries().filter((query) => query.includes('after-60')).length === 2) response.writeHead(410).end()
      else good(request, response, number)
    })
    const cwd = await scene('expired', server.origin, { pagination: { type: 'cursor', limit: 10 } })
    const { child, ended } = startOwm(['produce', '--slot', slot], { cwd, env })
    await until(async () => (await delivered('expired')).length === 60)
    child.kill('SIGKILL')
    expect(await ended).toMatchObject({ signal: 'SIGKILL' })
    const asked = server.asked.length

    isUp = true
    const { code, stderr } = await owm(['produce', '--slot', slot], { cwd, env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('410 Gone') })
    expect(server.queries().slice(asked, asked + 3)).toEqual([
      'limit=10&cursor=after-50',
      'limit=10&cursor=after-60',
      'limit=10',
    ])
    expect(server.asked).toHaveLength(asked + 2 + 10)
    expect(await delivered('expired')).toEqual(upTo(100))
  })

  test('a server that dies for good: 75, the run stays open, the next start finishes it', async () => {
    const good = paged('page', cities(50))
    let isDead = true
    const server = await api((request, response, number) => {
      if (isDead && numberIn(queryOf(request), 'page', 0) >= 3) response.socket?.resetAndDestroy()
      else good(request, response, number)
    })
    const cwd = await scene('dead', server.origin)
    const broken = await owmJson<ProduceResult & { error: { code: string; message: string } }>(
      ['produce', '--slot', slot],
      { cwd, env },
    )
    expect(broken).toMatchObject({
      code: 75,
      json: { source: { read: 30 }, sink: { delivered: 30 }, error: { code: 'SOURCE' } },
    })
    expect(pagesOf(server)).toEqual([0, 1, 2, 3, 3, 3])
    const { json: ledger } = await owmJson<InspectResult>(['outbox', 'inspect'], { cwd, env })
    expect(ledger.runs.map(({ state }) => state)).toEqual(['reading'])

    // What it had read in the start before counts as well.
    const { stderr } = await owm(['produce', '--slot', slot], { cwd, env })
    expect(stderr).toContain(`What was read is safe: 30 locations of slot ${slot};`)

    isDead = false
    expect(await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd, env })).toMatchObject({ code: 0 })
    const { json: after } = await owmJson<InspectResult>(['outbox', 'inspect', '--limit', '5'], { cwd, env })
    expect(after.runs.map(({ slot, state, delivered }) => ({ slot, state, delivered }))).toEqual([
      { slot: '2026-11-23T11:00:00Z', state: 'done', delivered: 50 },
      { slot, state: 'done', delivered: 50 },
    ])
    expect((await delivered('dead')).slice(0, 50)).toEqual(upTo(50))
  })

  test('a Retry-After that is longer than a source may take: given up at once', async () => {
    const server = await api((_, response) => response.writeHead(503, { 'retry-after': '3600' }).end())
    const cwd = await scene('later', server.origin)
    const { code, json } = await owmJson<ProduceResult & { error: { message: string } }>(['produce', '--slot', slot], {
      cwd,
      env,
    })
    expect({ code, message: json.error.message }).toEqual({
      code: 75,
      message: expect.stringContaining('503 Service Unavailable (try again in 3600 s)'),
    })
    expect(server.asked).toHaveLength(1)
  })

  test('a wrong token: 78, and it stands in no output, nor in the outbox', async () => {
    const server = await api((request, response) => {
      const said = `who is ${request.headers.authorization}?`
      if (queryOf(request).get('page') === '1') response.writeHead(401).end(said)
      else if (server.asked.length < 3) response.writeHead(500).end(said)
      else json(response, { cities: cities(10), total: 20 })
    })
    const cwd = await scene('secret', `${server.origin}/?key=\${API_TOKEN}`)
    for (const args of [['--json'], []]) {
      const { code, stdout, stderr } = await owm(['produce', '--slot', slot, '--log-level', 'debug', ...args], {
        cwd,
        env,
      })
      expect(code, stderr).toBe(78)
      expect(`${stdout}${stderr}`).toContain('answered 401 Unauthorized: who is Bearer ***?')
      if (args.length > 0) expect(stderr).toContain('a call failed and is tried again')
      for (const secret of [token, encodeURIComponent(token), JSON.stringify(token).slice(1, -1), 's3cret'])
        expect(`${stdout}${stderr}`).not.toContain(secret)
    }
    expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${token}`)
    expect(new URLSearchParams(server.queries()[0]).get('key')).toBe(token)
    expect((await readFile(join(cwd, 'outbox.db'))).includes('s3cret')).toBe(false)
  })

  test('goes through the proxy that the environment names', async () => {
    const server = await api(paged('page', cities(5)))
    const tunnels: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket) => {
      tunnels.push(request.url ?? '')
      const [host, port] = (request.url ?? '').split(':')
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      for (const end of [socket, onward]) end.on('error', () => undefined)
    })
    const host = await listening(proxy)
    onTestFinished(() => closed(proxy))
    const cwd = await scene('proxy', server.origin)
    expect(await owm(['produce'], { cwd, env: { ...env, HTTP_PROXY: `http://${host}` } })).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect([...new Set(tunnels)]).toEqual([server.origin.replace('http://', '')])
    expect(await delivered('proxy')).toEqual(upTo(5))
  })
})
