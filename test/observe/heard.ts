/** A server that hears what owm tells, and what stands in a text file of metrics. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createPlainServer } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Heard {
  readonly url: string
  readonly requests: {
    method: string
    path: string
    search: URLSearchParams
    body: string
    authorization?: string | undefined
  }[]
  /** What is answered; 200 unless set. 0: nothing, ever. */
  status: number
}

export async function heard(): Promise<Heard> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { pathname: path, searchParams: search } = new URL(request.url ?? '', 'http://h')
    const { authorization } = request.headers
    all.requests.push({ method: request.method ?? '', path, search, body, authorization })
    if (all.status === 0) return
    response.statusCode = all.status
    // As many servers do, and some of a check's address is in it.
    response.end(`Cannot ${request.method} ${request.url}`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const all: Heard = { url: `http://127.0.0.1:${port}`, requests: [], status: 200 }
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return all
}

/** The series of a text file: `name{labels}` without pipeline, shard and quotes, such as `owm_run_tasks{delivered}`. */
export function seriesIn(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? []
      const own = [...labels.matchAll(/(?:outcome|reason|group)="([^"]*)"/g)].map(([, label]) => label)
      return [own.length > 0 ? `${name}{${own.join(',')}}` : name, Number(value)]
    }),
  )
}

export async function freePort(): Promise<number> {
  const server = createPlainServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
