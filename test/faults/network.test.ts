/**
 * Every fault that the way to a Redis can have: the right class, the right exit code, in bounded time, with a message
 * that helps, and every task accounted for. Each test proves that its fault really happened.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  budget,
  expectHelp,
  expectRidden,
  expectTransient,
  expectUnreachable,
  produce,
} from '../support/redis-faults.js'
import { expectAllOnce, redisScene, secret, user } from '../support/redis-scene.js'

describe('the way to the server breaks', () => {
  test('a reply is lost after the batch was applied: nothing twice', async () => {
    const scene = await redisScene()
    scene.proxy.onScript(2, 'drop-reply')
    await expectRidden(scene, 500, 1000)
    expect(scene.proxy.counts).toMatchObject({
      repliesDropped: 1,
      scripts: expect.toBeOneOf([6, 7, 8]),
      scriptsAnswered: expect.toBeOneOf([6, 7, 8]),
    })
  })

  test('every reply is lost: 75, the batch that was applied is not sent into the stream again', async () => {
    const scene = await redisScene()
    scene.proxy.fromScript(2, 'drop-reply')
    await expectTransient(scene, {
      cause: /can't be reached/,
      nextStep: /whether the server runs/,
      within: budget(5_000),
      repair: async () => undefined,
    })
    // The first time, another batch may be under way behind it.
    expect(scene.proxy.counts.repliesDropped).toBeOneOf([3, 4])
  })

  test('a reply never comes, although the batch was applied: the command time-out ends it, nothing twice', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: 1_000 } } })
    scene.proxy.onScript(2, 'swallow-reply')
    await expectRidden(scene, 500, 1000)
    expect(scene.proxy.counts).toMatchObject({ repliesDropped: 1, silenced: 1 })
  })

  test('a request is cut half-way: nothing of it is applied', async () => {
    const scene = await redisScene()
    scene.proxy.onScript(2, 'half')
    await expectRidden(scene, 0, 500)
    expect(scene.proxy.counts).toMatchObject({
      halved: 1,
      scripts: expect.toBeOneOf([6, 7, 8]),
      scriptsAnswered: expect.toBeOneOf([5, 6, 7]),
    })
  })

  test('the connection is reset before a batch, and in the middle of one', async () => {
    const scene = await redisScene()
    scene.proxy.onScript(2, 'reset')
    scene.proxy.resetAfter(200_000)
    await expectRidden(scene, 0, 500)
    expect(scene.proxy.counts).toMatchObject({ resets: 2, connections: 3 })
  })

  test('the connection is reset each time: 75', async () => {
    const scene = await redisScene()
    scene.proxy.fromScript(3, 'reset')
    await expectTransient(scene, {
      cause: /can't be reached/,
      nextStep: /whether the server runs/,
      within: budget(5_000),
      repair: async () => undefined,
    })
    // Three attempts; the batch behind was under way as well, and may have had a connection of its own.
    expect(scene.proxy.counts.resets).toBeOneOf([3, 4])
  })

  test('a black hole from the start: the health check ends each attempt', async () => {
    const scene = await redisScene({ settings: { sink: { healthCheckTimeoutMs: 500 } } })
    scene.proxy.mode = 'black-hole'
    await expectTransient(scene, {
      cause: /timed out/,
      nextStep: /whether the server runs/,
      within: budget(500),
      repair: async () => expect(scene.proxy.counts).toMatchObject({ connections: 3, silenced: 3 }),
    })
  })

  test('a black hole in the middle: the command time-out ends it', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: 2_500, healthCheckTimeoutMs: 1_500 } } })
    scene.proxy.onScript(3, {
      before: async () => {
        scene.proxy.mode = 'black-hole'
      },
    })
    await expectTransient(scene, {
      cause: /timed out/,
      nextStep: /whether the server runs/,
      within: budget(4_000),
      repair: async () => {
        expect(scene.proxy.counts.hooks).toBe(1)
        expect(scene.proxy.counts.silenced).toBe(3)
      },
    })
  })

  test('one connection goes dead after the first answer: the next attempt takes another one', async () => {
    const scene = await redisScene({ settings: { sink: { commandTimeoutMs: 1_000, healthCheckTimeoutMs: 900 } } })
    // PING passes; HMGET, which asks for the fence, is never answered.
    scene.proxy.swallowNext('attach')
    await expectRidden(scene, 0)
    expect(scene.proxy.counts).toMatchObject({ silenced: 1, connections: 2 })
  })

  test('latency is no fault', async () => {
    const scene = await redisScene()
    scene.proxy.latencyMs = 300
    await expectRidden(scene, 0)
    expect(scene.proxy.counts.delayed).toBeGreaterThanOrEqual(7)
    expect(scene.proxy.counts).toMatchObject({ connections: 1, scripts: 5 })
  })

  test('nothing listens', async () => {
    const scene = await redisScene()
    const port = await freePort()
    await expectUnreachable(
      scene,
      `redis://${user}:${secret}@127.0.0.1:${port}`,
      new RegExp(`127\\.0\\.0\\.1:${port} can't be reached: .*ECONNREFUSED`),
    )
  })

  test('nothing listens any more, and nothing is pending: nobody knows whether all is still there', async () => {
    const scene = await redisScene({ count: 600 })
    const ran = await scene.owm(produce)
    expect(ran.code, ran.stderr).toBe(0)
    const gone = ['--set', `sink.url=redis://${user}:${secret}@127.0.0.1:${await freePort()}`]
    for (const args of [
      ['flush', ...gone],
      [...produce, ...gone],
    ]) {
      const asked = await scene.owm(args)
      expect(asked.code, asked.stderr).toBe(75)
      expectHelp(asked, /can't be reached/, /server runs/)
    }
    expect((await scene.owm(['flush'])).code).toBe(0)
    await expectAllOnce(scene)
  })

  test('the host name is wrong', async () => {
    const scene = await redisScene()
    await expectUnreachable(
      scene,
      `redis://${user}:${secret}@no-such-host.invalid:6379`,
      /no-such-host\.invalid:6379 can't be reached: .*(ENOTFOUND|EAI_AGAIN)/,
    )
  })
})

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
