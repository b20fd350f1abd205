/** What the built program writes to standard output and standard error. */
import { createServer } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { folderWith, owm } from '../support/cli.js'
import { startRedisProcess } from '../support/redis.js'

describe('no secret reaches a debug output', () => {
  it.each(['*', 'ioredis:*,oclif*'])('DEBUG=%s: the password of Redis', async (DEBUG) => {
    const redis = await startRedisProcess({ args: ['--requirepass', 'Hunter2-s3cret'] })
    onTestFinished(() => redis.stop())
    const url = redis.url.replace('redis://', 'redis://:Hunter2-s3cret@')
    const cwd = await folderWith({
      source: { use: 'simulated-db', count: 3 },
      sink: { use: 'redis-stream', url },
      outbox: { path: 'o.db' },
    })
    for (const args of [[], ['--set', `sink.url=${url}`], [`--set=sink.url=${url}`]]) {
      const { code, stdout, stderr } = await owm(['produce', ...args], { cwd, env: { DEBUG } })
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('3 tasks delivered') })
      // What is there to debug is still said, the AUTH among it.
      expect(stderr).toMatch(/ioredis:redis write command.*auth\(\[ .*\*\*\*/)
      expect(stderr).toContain('oclif')
      expect(stderr + stdout).not.toMatch(/Hunter2|s3cret/)
    }
  })

  it('DEBUG=*: what --set gives to a key with the name of a secret', async () => {
    const cwd = await folderWith({ source: { use: 'simulated-db' }, sink: { use: 'jsonl', path: '-' } })
    const args = ['produce', '--dry-run', '--set', 'source.apiKey=Hunter2-s3cret']
    const { code, stderr } = await owm(args, { cwd, env: { DEBUG: '*' } })
    expect(code).toBe(78)
    expect(stderr).toContain('source.apiKey=***')
    expect(stderr).not.toMatch(/Hunter2|s3cret/)
  })

  it.each(['*', 'undici,fetch,http,net,tls'])('NODE_DEBUG=%s: the query of a URL, a token', async (NODE_DEBUG) => {
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify([{ city: 'Here', latitude: 1, longitude: 2 }]))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
    })
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const cwd = await folderWith({
      source: {
        use: 'http',
        url: `http://127.0.0.1:${port}/x?apikey=Hunter2-s3cret`,
        auth: { bearer: 'tok-Hunter2' },
        pagination: { type: 'link' },
      },
      sink: { use: 'jsonl', path: 'tasks.jsonl' },
      outbox: { path: 'o.db' },
    })
    const { code, stderr } = await owm(['produce'], { cwd, env: { NODE_DEBUG } })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('sending request to GET') })
    expect(stderr).not.toMatch(/Hunter2|s3cret/)
  })
})
