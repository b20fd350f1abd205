import { createServer } from 'node:http'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { closed, json, listening, readAll, upTo } from './api.js'

const options = { url: 'http://weather.invalid/cities', pagination: { type: 'link' } }
const all = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY']
afterEach(() => vi.unstubAllEnvs())

/** Sets these variables and unsets the other ones of proxies. */
function environment(variables: Record<string, string>): void {
  for (const name of all) vi.stubEnv(name, variables[name])
}

/** A proxy that answers what comes through its tunnels, or refuses all with `status`; returns host and port. */
async function proxy(status?: number): Promise<string> {
  const list = upTo(3).map((id) => ({ id, city: `City ${id}`, latitude: id, longitude: id }))
  const server = createServer((request, response) => {
    json(response, request.headers.host === 'weather.invalid' ? list : [])
  })
  server.on('connect', (_, socket) => {
    if (status !== undefined) return socket.end(`HTTP/1.1 ${status} Refused\r\n\r\n`)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    server.emit('connection', socket)
  })
  const host = await listening(server)
  onTestFinished(() => closed(server))
  return host
}

test.each(['http://', ''])('is named with "%s" before its host', async (scheme) => {
  environment({ HTTP_PROXY: `${scheme}${await proxy()}` })
  const { error, locations } = await readAll(options)
  expect([error, locations.length]).toEqual([undefined, 3])
})

test.each(['socks5://owm:HUNTER22@127.0.0.1:1080', 'http://:HUNTER22@'])(
  '%s is no proxy for it: the variable is named, and its value kept secret',
  async (value) => {
    environment({ http_proxy: value })
    const error = await readAll(options).then(
      (read) => read.error,
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining('http_proxy') })
    expect(JSON.stringify(error) + String(error)).not.toContain('HUNTER22')
  },
)

test('that is down is named in the error', async () => {
  const server = createServer()
  const host = await listening(server)
  await closed(server)
  environment({ HTTP_PROXY: host })
  const { error } = await readAll(options)
  expect(error).toMatchObject({ hint: expect.stringContaining('the proxy of HTTP_PROXY') })
})

test.each(['http', 'https'])('that wants a password says so, for %s', async (scheme) => {
  environment({ HTTP_PROXY: await proxy(407) })
  const { error } = await readAll({ ...options, url: `${scheme}://weather.invalid/cities` })
  expect(error).toMatchObject({ code: 'CONFIGURATION', hint: expect.stringContaining('user and password') })
})

test('that refuses a tunnel names the variable', async () => {
  environment({ HTTPS_PROXY: await proxy(403) })
  const { error } = await readAll({ ...options, url: 'https://weather.invalid/cities' })
  expect(error).toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringContaining('the proxy of HTTPS_PROXY answered 403 Forbidden'),
  })
})
