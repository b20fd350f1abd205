/** docs/incidents.md: each incident is made for real, and its commands print what the page shows, in 80 columns. */
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { folderWith, root } from '../support/cli.js'
import { blocksOf, commandsOf, folderWithOwm, printsWhatItShows } from '../support/pages.js'
import { type RedisProcess, startRedisProcess } from '../support/redis.js'

interface Incident {
  /** Of the configuration. */
  readonly source: object
  readonly sink: object
  /** What `redis-cli` asks, where there is a server. */
  readonly port?: number
  /** What a comment of the page says was done by others. */
  repair?(folder: string): Promise<void>
  /** More files. */
  readonly files?: Readonly<Record<string, string>>
}

const page = await readFile(join(root, 'docs', 'incidents.md'), 'utf8')

async function redisFull(): Promise<Incident> {
  const { port } = await redis('--maxmemory', '3mb', '--maxmemory-policy', 'noeviction')
  return { source: { use: 'simulated-db', count: 20_000 }, sink: streamAt(port), port }
}

async function redisEmpty(): Promise<Incident> {
  const server = await redis()
  const { port } = server
  return { source: { use: 'simulated-db', count: 500 }, sink: streamAt(port), port, repair: () => server.restart() }
}

async function fortyDead(): Promise<Incident> {
  const library = pathToFileURL(join(root, 'dist', 'index.js')).href
  const lines = Array.from({ length: 500 }, (_, index) => index + 1).map(
    (id) => `${id},City ${id},${id % 80},${id % 170},${id % 12 === 0 && id <= 480 ? 240 : 72}`,
  )
  return {
    source: { use: 'static-list', file: './list.csv' },
    sink: { use: './gateway.mjs', limit: './limit' },
    files: {
      'list.csv': ['id,city,latitude,longitude,forecast_duration_hours', ...lines, ''].join('\n'),
      'gateway.mjs': gateway(library),
      limit: '96',
    },
    repair: (folder) => writeFile(join(folder, 'limit'), '240'),
  }
}

const gateway = (library: string): string => `
  import { readFile } from 'node:fs/promises'
  import { resolve } from 'node:path'
  import { defineSink, z } from '${library}'
  export default defineSink({
    name: 'gateway', description: 'takes forecasts up to a limit', options: z.strictObject({ limit: z.string() }),
    open: (options, { baseDir }) => ({
      guarantee: 'at-least-once',
      address: 'gateway',
      async deliver({ tasks }) {
        const limit = Number(await readFile(resolve(baseDir, options.limit), 'utf8'))
        const hours = tasks.map((task) => JSON.parse(task).forecast_duration_hours)
        const why = (asked) => ({ refused: \`422: at most \${limit} forecast hours, not \${asked}\` })
        return hours.map((asked) => (asked > limit ? why(asked) : 'delivered'))
      },
    }),
  })`

async function sourceFails(): Promise<Incident> {
  const { port } = await redis()
  let isMended = false
  const places = Array.from({ length: 1_000 }, (_, index) => ({
    id: index + 1,
    city: `City ${index + 1}`,
    latitude: 1 + (index % 80),
    longitude: 1 + (index % 170),
  }))
  const api = createServer(({ url }, response) => {
    const page = Number(new URL(url ?? '', 'http://localhost').searchParams.get('page') ?? 1)
    if (page > 3 && !isMended) return response.writeHead(503).end('database is down')
    const next = page < 10 ? { link: `</cities?page=${page + 1}>; rel="next"` } : {}
    response.writeHead(200, { 'content-type': 'application/json', ...next })
    return response.end(JSON.stringify(places.slice((page - 1) * 100, page * 100)))
  })
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void api.close())
  const address = api.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  return {
    source: { use: 'http', url: `${origin}/cities`, pagination: { type: 'link' } },
    sink: streamAt(port),
    repair: async () => {
      isMended = true
    },
  }
}

async function redis(...args: string[]): Promise<RedisProcess> {
  const server = await startRedisProcess({ args })
  onTestFinished(() => server.stop())
  return server
}

const streamAt = (port: number): object => ({ use: 'redis-stream', url: `redis://127.0.0.1:${port}` })

test.each([
  ['Redis is out of memory', redisFull],
  ['Redis came back empty', redisEmpty],
  ['Forty dead letters', fortyDead],
  ['A source fails half-way', sourceFails],
])('%s', async (title, make) => {
  const { source, sink, port, repair, files = {} } = await make()
  const retry = { attempts: 2, initialDelayMs: 10, maxDelayMs: 10 }
  const folder = await folderWith({ source, sink, outbox: { path: './outbox.db' }, retry })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const path = await folderWithOwm()
  const cli = `#!/bin/sh\nexec /usr/bin/redis-cli -p ${port} "$@"\n`
  if (port !== undefined) await writeFile(join(path, 'redis-cli'), cli, { mode: 0o755 })
  const [, after = ''] = page.split(`\n## ${title}\n`)
  const commands = blocksOf(after.split('\n## ')[0] ?? '').flatMap(commandsOf)
  expect(commands.length).toBeGreaterThanOrEqual(5)
  for (const one of commands) {
    if (one.startsWith('#')) await repair?.(folder)
    const printed = await printsWhatItShows(one, folder, path, { COLUMNS: '80' })
    const rows = printed.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0)
    expect(rows, one).toBeLessThanOrEqual(24)
  }
})
