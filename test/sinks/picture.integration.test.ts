/** What a sink shows of itself: entries, groups, readers. Looked at with the sink as a plugin opens it. */
import { existsSync } from 'node:fs'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Entry, PluginContext, Sink } from '../../src/plugin.js'
import jsonl from '../../src/sinks/jsonl/index.js'
import redisStream from '../../src/sinks/redis-stream/index.js'
import { base, slot } from '../cli/scene.js'
import { folderWith, owm, temporaryFolder } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const context = (baseDir: string): PluginContext => ({
  signal: new AbortController().signal,
  log,
  baseDir,
  readOnly: true,
  attempt: (operation) => operation(),
})

async function all(entries: AsyncIterable<Entry> | undefined): Promise<Entry[]> {
  const found: Entry[] = []
  for await (const entry of entries ?? []) found.push(entry)
  return found
}

const idOf = (number: number): string => `${String(number).padStart(8, '0')}-0000-5000-8000-000000000000`
const task = (number: number): string => JSON.stringify({ task_id: idOf(number), latitude_deg: 1 })

describe('redis-stream', () => {
  const redis = redisHere()

  async function open(stream: string, more: object = {}): Promise<Sink> {
    const options = redisStream.options.parse({ url: redis().server.url, stream, maxLength: 5_000, ...more })
    const sink = await redisStream.open(options, context('.'))
    onTestFinished(async () => sink.close?.())
    return sink
  }

  it('shows a stream that is not there yet, and makes none', async () => {
    const sink = await open('nothing')
    expect(await sink.inspect?.()).toEqual({
      entries: 0,
      bound: 5_000,
      whenFull: 'trim',
      entriesPerMinute: 0,
      groups: [],
    })
    expect(await all(sink.entries?.())).toEqual([])
    expect(await sink.readings?.('1-0')).toEqual([])
    expect(await redis().client.keys('*')).toEqual([])
  })

  it('counts what groups have not read, also where Redis does not know, and the entries of the last hour', async () => {
    const now = Date.now()
    const times = Array.from({ length: 2_500 }, (_, index) => now - 7_200_000 + 2_000 * index)
    const line = redis().client.pipeline()
    for (const [index, time] of times.entries()) line.xadd('s', `${time}-7`, 'data', task(index))
    await line.exec()
    await redis().client.xgroup('CREATE', 's', 'slow', '0')
    await redis().client.xgroup('CREATE', 's', 'new', '$')
    await redis().client.xreadgroup('GROUP', 'slow', 'ann', 'COUNT', 100, 'STREAMS', 's', '>')
    await redis().client.xdel('s', `${times[1_800]}-7`) // from here on Redis knows no lag
    const picture = await (await open('s', { onFull: 'hold' })).inspect?.()
    expect(picture).toMatchObject({ entries: 2_499, bound: 5_000, whenFull: 'hold' })
    const ofHour = times.filter((time, index) => time > now - 3_600_000 && index !== 1_800).length
    expect(Math.abs((picture?.entriesPerMinute ?? 0) - ofHour / 60)).toBeLessThan(1)
    expect(picture?.groups).toEqual([
      { name: 'new', lag: 0, pending: 0, oldestUnread: null, consumers: [] },
      {
        name: 'slow',
        lag: 2_399,
        pending: 100,
        oldestUnread: { id: `${times[100]}-7`, at: times[100] },
        consumers: [{ name: 'ann', pending: 100, idleMs: expect.any(Number) }],
      },
    ])
  })

  it('tells what each group did with an entry', async () => {
    for (const number of [1, 2, 3]) await redis().client.xadd('r', `${number}-0`, 'data', task(number))
    for (const group of ['a', 'b', 'c']) await redis().client.xgroup('CREATE', 'r', group, '0')
    await redis().client.xreadgroup('GROUP', 'b', 'bo', 'COUNT', 2, 'STREAMS', 'r', '>')
    await redis().client.xreadgroup('GROUP', 'c', 'cy', 'COUNT', 2, 'STREAMS', 'r', '>')
    await redis().client.xack('r', 'c', '2-0')
    expect(await (await open('r')).readings?.('2-0')).toEqual([
      { group: 'a', state: 'waiting' },
      { group: 'b', state: 'held', holder: { consumer: 'bo', idleMs: expect.any(Number), deliveries: 1 } },
      { group: 'c', state: 'acknowledged' },
    ])
  })

  it("gives entries from one to another, and somebody else's without a task's id", async () => {
    for (const number of [1, 2, 3]) await redis().client.xadd('e', `${number}-0`, 'data', task(number))
    await redis().client.xadd('e', '4-0', 'other', 'thing')
    const sink = await open('e')
    expect(await all(sink.entries?.('2-0', '4-0'))).toEqual([
      { id: '2-0', taskId: idOf(2), at: 2 },
      { id: '3-0', taskId: idOf(3), at: 3 },
      { id: '4-0', taskId: '', at: 4 },
    ])
  })

  it('what was trimmed before a group read it is not unread', async () => {
    for (const number of [1, 2, 3, 4]) await redis().client.xadd('t', `${number}-0`, 'data', task(number))
    await redis().client.xgroup('CREATE', 't', 'late', '0')
    await redis().client.xreadgroup('GROUP', 'late', 'w', 'COUNT', 1, 'STREAMS', 't', '>')
    await redis().client.xtrim('t', 'MAXLEN', 1)
    expect(await redis().client.xinfo('GROUPS', 't'), "Redis' own lag").toEqual([expect.arrayContaining(['lag', 3])])
    expect(await (await open('t')).inspect?.()).toMatchObject({ entries: 1, groups: [{ name: 'late', lag: 1 }] })
  })

  it.each([false, true])('… nor once the group has gone on; quick: %s', async (isQuick) => {
    const { client } = redis()
    await client.del('l')
    const read = (count: number): Promise<unknown> =>
      client.xreadgroup('GROUP', 'late', 'w', 'COUNT', count, 'STREAMS', 'l', '>')
    const add = async (from: number, to: number): Promise<void> => {
      for (let number = from; number <= to; number++) await client.xadd('l', `${number}-0`, 'data', task(number))
    }
    await client.xgroup('CREATE', 'l', 'late', '0', 'MKSTREAM')
    await add(1, 20)
    await read(5)
    await client.xtrim('l', 'MAXLEN', 8)
    const sink = await open('l')
    const lag = async (): Promise<unknown> => (await sink.inspect?.(isQuick))?.groups[0]?.lag
    expect(await lag()).toBe(8)
    await read(2)
    expect(await lag()).toBe(6)
    await read(20)
    expect(await client.xinfo('GROUPS', 'l'), "Redis' own lag").toEqual([expect.arrayContaining(['lag', 7])])
    expect(await lag()).toBe(0)
    await add(21, 24)
    expect(await lag()).toBe(4)
    await client.xdel('l', '22-0')
    expect(await client.xinfo('GROUPS', 'l'), 'Redis knows no lag').toEqual([expect.arrayContaining(['lag', null])])
    expect(await lag()).toBe(3)
  })

  it('a start counts as far back as takes no time, and then takes the word of Redis', async () => {
    const line = redis().client.pipeline()
    for (let number = 1; number <= 12_000; number++) line.xadd('q', `${number}-0`, 'data', '{}')
    await line.exec()
    await redis().client.xgroup('CREATE', 'q', 'late', '0')
    await redis().client.xreadgroup('GROUP', 'late', 'w', 'COUNT', 1, 'STREAMS', 'q', '>')
    await redis().client.xtrim('q', 'MAXLEN', 11_500)
    await redis().client.xreadgroup('GROUP', 'late', 'w', 'COUNT', 1, 'STREAMS', 'q', '>')
    const sink = await open('q')
    expect((await sink.inspect?.())?.groups[0]?.lag).toBe(11_499)
    expect(await sink.inspect?.(true)).toMatchObject({ entriesPerMinute: null, groups: [{ lag: 11_500 }] })
    await redis().client.xdel('q', '600-0')
    expect((await sink.inspect?.())?.groups[0]?.lag).toBe(11_498)
    expect((await sink.inspect?.(true))?.groups[0]?.lag).toBeNull()
  })

  it('looks at hundreds of groups', async () => {
    await redis().client.xadd('g', '1-0', 'data', task(1))
    for (let group = 0; group < 300; group++) await redis().client.xgroup('CREATE', 'g', `group-${group}`, '0')
    const groups = (await (await open('g')).inspect?.())?.groups
    expect(groups).toHaveLength(300)
    expect(groups?.every(({ lag, oldestUnread }) => lag === 1 && oldestUnread?.id === '1-0')).toBe(true)
  })

  it('names the command that its user may not give', async () => {
    await redis().client.acl('SETUSER', 'blind', 'on', '>word', '~*', '+ping', '+xlen')
    const sink = await open('e', { url: redis().server.url.replace('//', '//blind:word@') })
    await expect(sink.inspect?.()).rejects.toThrow(/xinfo/)
  })
})

describe('jsonl', () => {
  it('shows its lines while they are written, and only looks', async () => {
    const cwd = await folderWith({ ...base, source: { use: 'simulated-db', count: 1_000 } })
    expect((await owm(['produce', '--slot', slot], { cwd })).code).toBe(0)
    const file = join(cwd, 'tasks.jsonl')
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    const long = JSON.stringify({ note: 'x'.repeat(300_000) })
    await appendFile(file, `${long}\n${task(7)}\n${task(8).slice(0, 60)}`)
    const before = await readFile(file)
    const sink = await jsonl.open({ path: file }, context(cwd))
    const ids = lines.map((line): string => JSON.parse(line).task_id)
    const found = await all(sink.entries?.())
    expect(found.map(({ taskId }) => taskId)).toEqual([...ids, '', idOf(7)])
    expect(await all(sink.entries?.('line 999', 'line 1001'))).toEqual([
      { id: 'line 999', taskId: ids[998] },
      { id: 'line 1000', taskId: ids[999] },
      { id: 'line 1001', taskId: '' },
    ])
    expect(await readFile(file)).toEqual(before)
  })

  it('makes no file, and shows nothing of standard output', async () => {
    const folder = await temporaryFolder()
    const sink = await jsonl.open({ path: 'none.jsonl' }, context(folder))
    expect(await all(sink.entries?.())).toEqual([])
    expect(existsSync(join(folder, 'none.jsonl'))).toBe(false)
    await writeFile(join(folder, 'none.jsonl'), '')
    expect((await jsonl.open({ path: '-' }, context(folder))).entries).toBeUndefined()
  })
})
