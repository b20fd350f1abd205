/** `owm config check --connect` does what a run will do, and leaves nothing behind. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bin, folderWith, owm, owmJson } from '../support/cli.js'
import { isRootOnLinux } from '../support/conditions.js'
import { redisScene, type Scene, slot, stream, user } from '../support/redis-scene.js'

interface Checked {
  findings: { about: string; ok: boolean; message: string }[]
}

const check = ['config', 'check', '--connect']

/** Every key with its value. */
async function dump({ admin }: Scene): Promise<unknown> {
  const keys = (await admin.keys('*')).sort()
  return Promise.all(keys.map(async (key) => [key, await admin.dump(key)]))
}

const sinkIn = ({ findings }: Checked) => findings.filter(({ about }) => about === 'sink').at(-1)

describe('the sink', () => {
  it('takes the very scripts; no key is left, made or changed, before the first run and after it', async () => {
    const scene = await redisScene({ count: 3 })
    const first = await scene.owmJson<Checked>(check)
    expect(first.code).toBe(0)
    expect(sinkIn(first.json)).toMatchObject({ ok: true, message: expect.stringContaining('opened and answered') })
    expect(await dump(scene)).toEqual([])
    expect(await readdir(scene.folder)).not.toContain('outbox.db')

    expect((await scene.owm(['produce', '--slot', slot])).code).toBe(0)
    const before = await dump(scene)
    expect((await scene.owm(check)).code).toBe(0)
    expect(await dump(scene)).toEqual(before)
    expect(await scene.admin.xlen(stream)).toBe(3)
  })

  it.each([
    ['-eval', /eval/],
    ['-xadd', /XADD owm-ingestion-stream/],
    ['-hset', /HSET/],
    ['-zadd', /ZADD/],
    ['-del', undefined],
  ])('a user without %s', async (right, message) => {
    const scene = await redisScene({ count: 3 })
    await scene.admin.acl('SETUSER', 'default', 'on', 'nopass', '~*', '&*', '+@all')
    await scene.admin.acl('SETUSER', user, right)
    const { code, json } = await scene.owmJson<Checked>(check)
    expect(code).toBe(message ? 78 : 0)
    if (message) expect(sinkIn(json)).toMatchObject({ ok: false, message: expect.stringMatching(message) })
    await scene.admin.acl('SETUSER', user, '+@all')
    expect(await dump(scene)).toEqual([])
  })

  it('a user who may not use the keys beside the stream; a stream that is something else', async () => {
    const scene = await redisScene({ count: 3 })
    await scene.admin.set('a-text', 'x')
    expect((await scene.owm([...check, '--set', 'sink.stream=a-text'])).code).toBe(78)
    await scene.admin.acl('SETUSER', user, 'resetkeys', `~${stream}`)
    expect((await scene.owm(check)).code).toBe(78)
  })
})

it('a mistake in one section hides nothing in the others', async () => {
  const cwd = await folderWith({
    source: { use: 'static-list', file: './not-there.csv' },
    sink: { use: 'redis-stream', url: 'redis://127.0.0.1:1' },
    outbox: { path: './o.db' },
    retry: { attempts: 0 },
    brekaer: {},
  })
  const { code, json } = await owmJson<Checked>(check, { cwd })
  expect(code).toBe(78)
  const wrong = json.findings.filter(({ ok }) => !ok).map(({ message }) => message)
  for (const what of [/retry\.attempts/, /brekaer/, /not-there\.csv/, /127\.0\.0\.1:1/])
    expect(wrong).toContainEqual(expect.stringMatching(what))
})

it('nor does a variable that is not set', async () => {
  const cwd = await folderWith({
    source: { use: 'http', url: 'http://127.0.0.1:1/${NOT_SET}' },
    sink: { use: 'redis-stream', url: 'redis://127.0.0.1:1' },
  })
  const { stdout } = await owm(check, { cwd })
  expect(stdout).toMatch(/NOT_SET[\s\S]*127\.0\.0\.1:1/)
})

it.runIf(isRootOnLinux)('a disk that is full: a start would end with 74', async () => {
  const cwd = await folderWith({
    source: { use: 'simulated-db', count: 3 },
    sink: { use: 'jsonl', path: './t.jsonl' },
    outbox: { path: '/mnt/o.db' },
  })
  const script =
    'mount -t tmpfs -o size=1m tmpfs /mnt && cd "$1"; for fill in 0 1100000; do ' +
    'head -c $fill /dev/zero >/mnt/fill 2>&1; "$2" "$3" config check; echo "code $?"; done 2>&1'
  const args = ['--mount', '/bin/sh', '-c', script, 'sh', cwd, process.execPath, bin]
  const { stdout } = await promisify(execFile)('unshare', args)
  expect(stdout).toMatch(/^ok {4}outbox: \/mnt\/o\.db can be written$[\s\S]*^code 0$/m)
  expect(stdout).toMatch(/^wrong outbox: The disk of \/mnt\/o\.db is full\. Make room.*$[\s\S]*^code 78$/m)
})

it('standard output is the same sink as before, with tasks that wait for it', async () => {
  const cwd = await folderWith({ source: { use: 'simulated-db', count: 3 }, sink: { use: 'jsonl', path: '-' } })
  const outbox = ['--outbox', './o.db']
  expect((await owm(['produce', '--slot', slot, ...outbox], { cwd })).code).toBe(0)
  expect((await owm(['produce', '--slot', '2026-11-23T11:00:00Z', '--no-flush', ...outbox], { cwd })).code).toBe(0)
  expect(await owm([...check, ...outbox], { cwd })).toMatchObject({ code: 0 })
})
