import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { Resilience } from '../../../src/pipeline/retry.js'
import type { LocationBatch, Malformed, Source } from '../../../src/plugin.js'
import http from '../../../src/sources/http/index.js'

export interface City {
  id: number
  name: string
  lat: number
  lon: number
}

export const cities = (count: number): City[] =>
  Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `city ${index}`,
    lat: (index % 89) + 1,
    lon: -(index % 180),
  }))

export interface Asked {
  /** Path and query. */
  url: string
  headers: IncomingHttpHeaders
  /** Milliseconds, monotonic. */
  at: number
  /** Whether the client left before its answer was whole. */
  left: boolean
}

export type Handler = (request: IncomingMessage, response: ServerResponse, number: number) => void

export interface Api {
  origin: string
  asked: Asked[]
  /** The queries that came, in order. */
  queries(): string[]
  stop(): Promise<void>
}

export async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${addressOf(server).port}`
}

export function addressOf(server: Server): AddressInfo {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address
}

export async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** A server on a free port; `number` counts its requests from 1. */
export async function startApi(handler: Handler): Promise<Api> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const one: Asked = { url: request.url ?? '', headers: request.headers, at: performance.now(), left: false }
    response.on('close', () => {
      one.left = !response.writableFinished
    })
    handler(request, response, asked.push(one))
  })
  const host = await listening(server)
  return {
    origin: `http://${host}`,
    asked,
    queries: () => asked.map(({ url }) => url.replace(/^[^?]*\??/, '')),
    stop: () => closed(server),
  }
}

export async function api(handler: Handler): Promise<Api> {
  const started = await startApi(handler)
  onTestFinished(() => started.stop())
  return started
}

export const json = (response: ServerResponse, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export const queryOf = (request: IncomingMessage): URLSearchParams =>
  new URL(request.url ?? '', 'http://127.0.0.1').searchParams

export const numberIn = (query: URLSearchParams, name: string, otherwise: number): number =>
  Number(query.get(name) ?? otherwise)

/** A well-behaved handler for each type of pagination, over the same list. */
export function paged(type: string, list: readonly City[]): Handler {
  return (request, response) => {
    const query = queryOf(request)
    const limit = numberIn(query, 'limit', 100)
    const from =
      type === 'page'
        ? numberIn(query, 'page', 0) * limit
        : type === 'cursor'
          ? Number((query.get('cursor') ?? 'after-0').slice(6))
          : numberIn(query, 'offset', 0)
    const items = list.slice(from, from + limit)
    const hasMore = from + limit < list.length
    const link = (offset: number, relation: string): string =>
      `</cities/?limit=${limit}&offset=${offset}>; rel="${relation}"`
    if (type === 'link')
      return json(
        response,
        items,
        hasMore
          ? {
              link: `${link(0, 'first')}, ${link(from + limit, 'next')}`,
            }
          : {},
      )
    if (type === 'cursor')
      return json(response, { data: items, meta: { next_cursor: hasMore ? `after-${from + limit}` : null } })
    return json(response, { cities: items, total_count: list.length, limit })
  }
}

export interface Warning {
  fields: object
  message: string
}

export interface Read {
  batches: LocationBatch[]
  locations: (object | Malformed)[]
  warnings: Warning[]
  error: unknown
}

export interface ReadOptions {
  resume?: string
  signal?: AbortSignal
  attempts?: number
}

export async function opened(
  options: Record<string, unknown>,
  { signal = new AbortController().signal, attempts = 3 }: ReadOptions = {},
): Promise<{ source: Source; warnings: Warning[] }> {
  const warnings: Warning[] = []
  const guard = new Resilience({
    retry: { attempts, initialDelayMs: 5, maxDelayMs: 20 },
    breaker: { failures: 1_000, resetAfterMs: 1_000 },
  })
  const source = await http.open(http.options.parse(options), {
    signal,
    baseDir: '/',
    attempt: (operation) => guard.run(operation, signal),
    log: { debug() {}, info() {}, error() {}, warn: (fields, message) => warnings.push({ fields, message }) },
  })
  return { source, warnings }
}

/** Reads all there is, or until it fails. */
export async function readAll(options: Record<string, unknown>, how: ReadOptions = {}): Promise<Read> {
  const { source, warnings } = await opened(options, how)
  const batches: LocationBatch[] = []
  let error: unknown
  try {
    for await (const batch of source.read(how.resume)) batches.push(batch)
  } catch (thrown) {
    error = thrown
  }
  await source.close?.()
  return { batches, locations: batches.flatMap(({ locations }) => [...locations]), warnings, error }
}

export const idsOf = ({ locations }: Read): unknown[] =>
  locations.map((location) => ('id' in location ? location.id : undefined))
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Everything came, once, in order, and nothing went wrong. */
export function expectAll(read: Read, count: number): void {
  expect(read.error).toBeUndefined()
  expect(idsOf(read)).toEqual(upTo(count))
}

export const types = ['page', 'offset', 'cursor', 'link'] as const
