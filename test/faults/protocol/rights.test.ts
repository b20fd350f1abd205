/** Rights that a user of Redis loses in the middle of a run: Redis doesn't roll a script back. */
import { expect, test } from 'vitest'
import { redisScene, slot, user } from '../../support/redis-scene.js'

test.each(['hset', 'hsetnx', 'hget', 'hmget', 'xadd', 'xinfo', 'time'])(
  '%s is taken from the user before the third batch: each task is there once',
  async (command) => {
    const scene = await redisScene({ count: 500, settings: { flush: { batchSize: 100 } } })
    const { admin, proxy } = scene
    await admin.acl('SETUSER', 'default', 'on', 'nopass', '~*', '&*', '+@all')
    let isTaken = false
    // Scripts 1 and 2 attach and place.
    proxy.onScript(5, {
      before: async () => {
        await admin.acl('SETUSER', user, `-${command}`)
        isTaken = true
      },
    })
    const { code, stderr } = await scene.owm(['produce', '--slot', slot])
    expect({ isTaken, code }, stderr).toEqual({ isTaken: true, code: 78 })
    expect(stderr).toMatch(/~STREAM and ~\{STREAM\}:owm:\*/)
    await admin.acl('SETUSER', user, `+${command}`)
    expect((await scene.owm(['flush'])).code).toBe(0)
    const delivered = await scene.delivered()
    expect([delivered.length, new Set(delivered).size]).toEqual([500, 500])
  },
)
