/** Servers that answer as they really do, and the built owm that reads them. */
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ProduceResult } from '../../../src/commands/produce.js'
import { owmJson, type Ran, temporaryFolder } from '../../support/cli.js'

export type Produced = Ran & { json: ProduceResult & { error?: { code: string; message: string; hint: string } } }
export type Handler = (query: URLSearchParams, response: ServerResponse, headers: IncomingHttpHeaders) => void

export interface Api {
  readonly origin: string
  /** The queries that came, in order. */
  readonly asked: string[]
  /** When each of them came: milliseconds, monotonic. */
  readonly times: number[]
}

export async function api(handler: Handler): Promise<Api> {
  const asked: string[] = []
  const times: number[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1')
    asked.push(url.search.slice(1))
    times.push(performance.now())
    handler(url.searchParams, response, request.headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return { origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked, times }
}

export const send = (
  response: ServerResponse,
  body: unknown,
  headers: Record<string, string> = {},
  status = 200,
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export const place = (id: number): object => ({ id, name: `p${id}`, lat: 1, lon: id + 1 })
export const placesOf = (count: number): object[] => Array.from({ length: count }, (_, index) => place(index))

/** Page `page` (from 0) of a list. */
export const part = (list: readonly object[], page: number, limit: number): readonly object[] =>
  list.slice(page * limit, (page + 1) * limit)

/** @param folder where it runs; a new one by default */
export async function produce(
  source: Record<string, unknown>,
  folder?: string,
): Promise<Produced & { cities: string[] }> {
  const cwd = folder ?? (await temporaryFolder())
  const config = {
    source: { use: 'http', ...source },
    sink: { use: 'jsonl', path: 'tasks.jsonl' },
    outbox: { path: 'outbox.db' },
    retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1 },
  }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(config))
  const ran: Produced = await owmJson(['produce', '--slot', '2026-11-23T00:00:00Z'], { cwd })
  const text = await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => '')
  const cities = text
    .split('\n')
    .slice(0, -1)
    .map((line): string => JSON.parse(line).city)
  return { ...ran, cities }
}

export const all = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index}`)
