/** Exit code 78, and secrets that stay out of it. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderWith, owm, owmJson, temporaryFolder } from '../support/cli.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { base, type Counts, deadSink, shapes } from './scene.js'

describe('exit 78: configuration', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis({ args: ['--requirepass', 'right'] })
  })
  afterAll(() => redis.stop())

  it.each(['produce', 'flush', 'outbox inspect'] as const)('%s: an unknown key', async (command) => {
    const cwd = await folderWith({ ...base, flsh: {} })
    const { code, json, stderr } = await owmJson<Counts>(command.split(' '), { cwd })
    expect(json).toMatchObject({
      ...shapes[command],
      error: { code: 'CONFIGURATION', message: expect.stringContaining('flsh'), hint: expect.any(String) },
    })
    expect({ code, stderr, files: await readdir(cwd) }).toEqual({ code: 78, stderr: '', files: ['.owmrc.json'] })
  })

  it.each(['produce', 'flush'] as const)('%s: no configuration', async (command) => {
    const { code, json } = await owmJson<Counts>([command], { cwd: await temporaryFolder() })
    expect({ code, json }).toMatchObject({
      code: 78,
      json: { ...shapes[command], error: { hint: expect.stringContaining('owm init') } },
    })
  })

  it.each([
    ['no password', ''],
    ['a wrong password', ':wrong@'],
  ])('%s stops at once, the tasks are still in the outbox', async (_, credentials) => {
    const url = redis.url.replace('redis://', `redis://${credentials}`)
    const cwd = await folderWith({
      ...base,
      sink: { use: 'redis-stream', url },
      retry: { attempts: 50, initialDelayMs: 10_000 },
    })
    const { code, json } = await owmJson<Counts>(['produce'], { cwd })
    expect({ code, json }).toMatchObject({
      code: 78,
      json: {
        ...shapes.produce,
        outbox: { pending: 20 },
        error: { code: 'CONFIGURATION', hint: expect.stringContaining('password') },
      },
    })
  })

  const guarded: { where: string; sink?: object; args?: string[]; env?: Record<string, string> }[] = [
    { where: 'a wrong host', sink: { url: 'redis://owner:Hunter2-s3cret@127.0.0.1:1' } },
    { where: 'a wrong host, the password encoded', sink: { url: 'redis://owner:Hunter2%2Fs3cret@127.0.0.1:1' } },
    { where: 'a wrong password', sink: { url: 'redis://:Hunter2-s3cret@REDIS' } },
    { where: 'a wrong password and a database', sink: { url: 'redis://:Hunter2-s3cret@REDIS/1' } },
    { where: 'no number of a database', sink: { url: 'redis://:Hunter2-s3cret@REDIS/notanumber' } },
    { where: 'a variable', sink: { url: 'redis://:${PASSWORD}@127.0.0.1:1' }, env: { PASSWORD: 'correct-horse' } },
    { where: 'OWM_REDIS_URL', env: { OWM_REDIS_URL: 'redis://owner:Hunter2-s3cret@127.0.0.1:1' } },
    { where: 'OWM_REDIS_URL of another scheme', env: { OWM_REDIS_URL: 'http://owner:Hunter2-s3cret@127.0.0.1:1' } },
    { where: '--set', args: ['--set', 'sink.url=redis://owner:Hunter2-s3cret@127.0.0.1:1'] },
    { where: 'a URL without slashes', sink: { url: 'redis:owner:Hunter2-s3cret@127.0.0.1' } },
    { where: 'a URL with a slash in the password', sink: { url: 'redis://owner:Hunter2/s3cret@127.0.0.1:1' } },
    { where: '--set of a URL without slashes', args: ['--set', 'sink.url=rediss:owner:Hunter2-s3cret@127.0.0.1'] },
    { where: '--set without a path', args: ['--set', 'redis://owner:Hunter2-s3cret@127.0.0.1:1'] },
    { where: 'an unknown key', sink: { password: 'Hunter2-s3cret' } },
  ]
  it.each(guarded)('a secret never reaches an output: in $where', async ({ sink, args = [], env }) => {
    const secret = /hunter|s3cret|correct-horse/i
    const config = { ...base, source: { use: 'simulated-db', count: 1 }, sink: { use: 'redis-stream', ...sink } }
    const cwd = await folderWith(JSON.parse(JSON.stringify(config).replace('REDIS', `${redis.host}:${redis.port}`)))
    for (const level of [['warn'], ['debug'], ['trace'], ['trace', '--json']]) {
      const { code, stdout, stderr } = await owm(['produce', ...args, '--log-level', ...level], { cwd, env })
      expect([2, 75, 78]).toContain(code)
      expect(stdout + stderr).not.toMatch(secret)
      expect(stdout + stderr).toMatch(/owm: |"error":/)
    }
    for (const file of await readdir(cwd))
      if (file.startsWith('o.db')) expect(await readFile(join(cwd, file), 'latin1')).not.toMatch(secret)
  })

  it("a password that is not a URL's is no reason to retry", async () => {
    const cwd = await folderWith({
      ...base,
      sink: { use: 'redis-stream', url: 'redis://owner:Hunter2/s3cret@127.0.0.1:1' },
    })
    expect(await owmJson<Counts>(['produce'], { cwd })).toMatchObject({
      code: 78,
      json: { error: { message: expect.stringContaining('%2F') } },
    })
  })

  it('a key of JSON that is there twice is told with its place', async () => {
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, '.owmrc.json'), '{"outbox": {"path": "a.db",\n "path": "b.db"}}')
    const { code, stderr } = await owm(['config', 'show'], { cwd })
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: expect.stringMatching(/\.owmrc\.json:2:2 can't be read: .*unique/),
    })
  })

  it('a package.json that cannot be read is not quoted', async () => {
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, 'package.json'), '{"name": "x", "owm": {"token": "hunter2"},, "password": "s3cret"}')
    const { code, stderr } = await owm(['produce'], { cwd })
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining(`${cwd}/package.json can't be read`) })
    expect(stderr).not.toMatch(/hunter|s3cret/)
  })

  it('a secret that reads like a key renames none', async () => {
    const cwd = await folderWith({ ...base, sink: deadSink })
    const { json } = await owmJson<Counts>(['produce'], { cwd, env: { OWM_REDIS_URL: 'redis://:sink@127.0.0.1:1' } })
    expect(json).toMatchObject(shapes.produce)
  })
})

it('without any configuration nothing is guessed: 78, and owm init is named', async () => {
  const cwd = await temporaryFolder()
  const { code, stdout, stderr } = await owm(['produce'], { cwd })
  expect({ code, stdout }).toEqual({ code: 78, stdout: '' })
  expect(stderr).toContain('owm init')
  expect(await readdir(cwd)).toEqual([])
})
