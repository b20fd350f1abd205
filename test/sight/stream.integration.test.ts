/** `owm stream inspect` beside a real Redis. */
import { expect, it } from 'vitest'
import type { StreamResult } from '../../src/commands/stream/inspect.js'
import { base, slot } from '../cli/scene.js'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const redis = redisHere()

const stream = 'owm-ingestion-stream'
const folder = (sink: object): Promise<string> =>
  folderWith({ ...base, sink: { use: 'redis-stream', url: redis().server.url, ...sink } })
const produce = async (cwd: string, ...args: string[]): Promise<void> => {
  expect((await owm(['produce', ...args], { cwd })).code).toBe(0)
}

it('shows the stream, its groups, and what the next run would meet, on 80 columns', async () => {
  const cwd = await folder({ maxLength: 50 })
  await redis().client.xgroup('CREATE', stream, 'workers', '$', 'MKSTREAM')
  await redis().client.xgroup('CREATE', stream, 'evil\u001b[31m\u202egroup', '$')
  await produce(cwd, '--slot', slot)
  await redis().client.xreadgroup('GROUP', 'workers', 'ann', 'COUNT', 15, 'STREAMS', stream, '>')
  const first = await owmJson<StreamResult>(['stream', 'inspect'], { cwd })
  expect(first.code).toBe(0)
  expect(first.json).toMatchObject({
    sink: { name: 'redis-stream' },
    entries: 20,
    bound: 50,
    whenFull: 'trim',
    groups: [{ lag: 20 }, { name: 'workers', lag: 5, pending: 15, consumers: [{ name: 'ann', pending: 15 }] }],
    next: { tasks: 20, would: 'fits', unread: 0 },
  })
  await produce(cwd, '--slot', '2026-11-23T11:00:00Z')
  const args = ['stream', 'inspect', '--set', 'sink.maxLength=50']
  expect((await owmJson<StreamResult>(args, { cwd })).json.next).toEqual({ tasks: 20, would: 'trims', unread: 10 })
  const held = await owmJson<StreamResult>([...args, '--set', 'sink.onFull=hold'], { cwd })
  expect(held.json.next).toEqual({ tasks: 20, would: 'holds', unread: 10 })
  const { code, stdout } = await owm(args, { cwd, env: { COLUMNS: '80' } })
  expect(code).toBe(0)
  expect(stdout).toContain('40 entries of at most 50 (80 %), 0.7 a minute over the last hour')
  expect(stdout).toContain('next: 20 tasks would trim 10 entries that not every group has read')
  for (const obeyed of ['\u001b', '\u202e']) expect(stdout).not.toContain(obeyed)
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
})

it('says of a sink without readers, and of one that is not there, what it is', async () => {
  const file = await folderWith(base)
  expect(await owm(['stream', 'inspect'], { cwd: file })).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("jsonl doesn't tell what it holds"),
  })
  const away = await owmJson<StreamResult & { error: { code: string } }>(
    ['stream', 'inspect', '--set', 'sink.url=redis://user:hush-hush@127.0.0.1:1'],
    { cwd: await folder({}) },
  )
  expect(away).toMatchObject({ code: 75, json: { sink: { name: 'redis-stream' }, entries: 0 } })
  expect(`${away.stdout}${away.stderr}`).not.toContain('hush-hush')
})
