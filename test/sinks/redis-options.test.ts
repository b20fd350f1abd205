/** Where Redis is and how to log in: what goes together, what doesn't, and by what a sink is known. */
import { expect, it } from 'vitest'
import { options } from '../../src/sinks/redis-stream/options.js'
import { addressOf } from '../../src/sinks/redis-stream/way.js'

const sentinels = ['10.0.0.1:26379', 'sentinel-2', '[::1]:26380']
const cluster = ['10.0.0.2:6379', '10.0.0.1:6379']
const tls = { ca: '/etc/ca.pem' }

it.each([
  [{ url: 'redis://h', sentinels, name: 'm' }, 'sentinels', /exactly one of url \(or OWM_REDIS_URL\), socket/],
  [{ socket: '/s', cluster }, 'cluster', /exactly one/],
  [{ sentinels }, 'name', /need the name of the master/],
  [{ name: 'm' }, 'name', /goes with sentinels/],
  [{ cluster, sentinelPassword: 'p' }, 'sentinelPassword', /goes with sentinels/],
  [{ sentinels, name: 'm', sentinelUsername: 'u' }, 'sentinelPassword', /needs one/],
  [{ url: 'redis://u:p@h', username: 'u', password: 'p' }, 'username', /stand in url/],
  [{ url: 'redis://h?password=p', password: 'q' }, 'password', /stand in url/],
  [{ socket: '/s', username: 'u' }, 'password', /needs one/],
  [{ cluster, database: 1 }, 'database', /only the database 0/],
  [{ url: 'redis://h/1', database: 1 }, 'database', /stands in url/],
  [{ socket: '/s', tls }, 'tls', /no TLS/],
  [{ url: 'redis://h', tls }, 'tls', /rediss:\/\//],
  [{ tls: true }, 'tls', /rediss:\/\//],
  [{ url: 'rediss://h', tls: { cert: '/c' } }, 'tls', /go together/],
  [{ sentinels: ['redis://h'], name: 'm' }, 'sentinels.0', /host:port is expected/],
  [{ sentinels: [], name: 'm' }, 'sentinels', />=1/],
  [{ cluster: ['h:70000'] }, 'cluster.0', /at most 65535/],
  [{ durability: {} }, 'durability.replicas', /number/],
  [{ durability: { replicas: 0 } }, 'durability.replicas', />=1/],
  [{ durability: { replicas: 1, timeoutMs: 0 } }, 'durability.timeoutMs', />=1/],
])('%j is wrong', (given, path, message) => {
  const { error } = options.safeParse(given)
  expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path])
  expect(error?.issues[0]?.message).toMatch(message)
})

it.each([
  [{}, 'redis://127.0.0.1:6379/0 s'],
  [{ url: 'redis://u:p@h/2', durability: { replicas: 1 } }, 'redis://h:6379/2 s'],
  [{ url: 'rediss://h', username: 'u', password: 'p', tls, database: 0 }, 'rediss://h:6379/0 s'],
  [{ socket: '/run/redis.sock', password: '', database: 3 }, 'unix:///run/redis.sock/3 s'],
  [{ socket: './redis.sock' }, 'unix:///etc/owm/redis.sock/0 s'],
  [{ sentinels, name: 'm', tls: true }, 'sentinel://m@10.0.0.1:26379,[::1]:26380,sentinel-2/0 s'],
  [{ cluster, database: 0 }, 'cluster://10.0.0.1:6379,10.0.0.2:6379/0 s'],
])('%j is right, and known by its place', (given, address) => {
  expect(addressOf(options.parse({ ...given, stream: 's' }), '/etc/owm')).toBe(address)
})
