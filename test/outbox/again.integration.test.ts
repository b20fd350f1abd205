/** Slots that are read again: which runs one with `--again` replaces, and which it doesn't. With a real Redis. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { RunsResult } from '../../src/commands/runs/index.js'
import { base } from '../cli/scene.js'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

const slot = '2026-11-23T10:00:00Z'
const count = 12
const stream = 'owm-ingestion-stream'
const limited = ['--set', 'source.limit=4']
const nowhere = ['--set', 'sink.url=redis://127.0.0.1:1', '--set', 'retry.attempts=1']

const folder = () =>
  folderWith({
    ...base,
    source: { use: 'simulated-db', count },
    sink: { use: 'redis-stream', url: redis().server.url },
    flush: { batchSize: 2 },
  })
async function run(cwd: string, code: number, ...args: string[]): Promise<string> {
  const ended = await owm(args, { cwd })
  expect({ args, code: ended.code, stderr: ended.stderr }).toMatchObject({ args, code })
  return ended.stdout + ended.stderr
}
const produce = (cwd: string, code: number, ...args: string[]) => run(cwd, code, 'produce', '--slot', slot, ...args)
const again = (cwd: string, code: number, ...args: string[]) => produce(cwd, code, '--again', ...args)
/** The sink has lost all of it, and the history has nothing of it. */
async function lose(cwd: string): Promise<void> {
  await run(cwd, 0, 'outbox', 'purge', '--yes')
  await redis().client.del(stream)
  expect(await run(cwd, 75, 'flush')).toContain(`lost ${count} tasks`)
}
/** Entries, and ids among them. */
async function there(of = stream): Promise<[number, number]> {
  const entries = await redis().client.xrange(of, '-', '+')
  return [entries.length, new Set(entries.map(([, fields]) => JSON.parse(fields[1] ?? '').task_id)).size]
}

it('a slot that was served whole, and lost, is read again as it was by what a shard names', async () => {
  const cwd = await folder()
  await produce(cwd, 0)
  await run(cwd, 0, 'outbox', 'purge', '--yes')
  await redis().client.del(stream)
  const shard = ['--set', 'source.shard=0/3']
  expect(await run(cwd, 75, 'flush', ...shard)).toContain('`owm produce --slot TIME --shard 0/1 --again`')
  expect(await again(cwd, 75, ...shard)).toContain('run this command with `--shard 0/1`')
  expect(await run(cwd, 0, 'runs', 'show', slot, ...shard)).toMatch(/owm outbox replay --run \w+ --shard 0\/1/)
  expect(await run(cwd, 75, 'doctor', ...shard)).toContain(`${slot} --shard 0/1`)
  const todo = `outbox replay --slot ${slot} --shard 0/1`
  expect(await run(cwd, 75, 'verify', ...shard)).toContain(`\`owm ${todo}\``)
  await run(cwd, 0, ...todo.split(' '), '--yes', ...shard)
  expect(await there()).toEqual([count, count])
  expect(await run(cwd, 0, 'verify', ...shard)).toContain('none differs')
})

describe('what a run that reads a slot again stands for is not taken to be there', () => {
  it('what was discarded, where the list was shorter for a while', async () => {
    const cwd = await folder()
    await produce(cwd, 0, '--no-flush')
    await run(cwd, 0, 'outbox', 'discard', '--pending', '--yes')
    await again(cwd, 0, ...limited)
    expect(await there()).toEqual([4, 4])
    await produce(cwd, 0)
    expect(await there()).toEqual([count, count])
    expect(await run(cwd, 0, 'verify', '--source')).toContain('none differs')
  })

  it('what was lost', async () => {
    const cwd = await folder()
    await produce(cwd, 0)
    await lose(cwd)
    await again(cwd, 0, ...limited)
    await produce(cwd, 0)
    expect(await there()).toEqual([count, count])
  })

  it('another shard that was discarded or lost: it is refused until that is asked for', async () => {
    const cwd = await folder()
    for (const shard of ['0/2', '1/2']) await produce(cwd, 0, '--shard', shard)
    const [total] = await there()
    await lose(cwd)
    await again(cwd, 0, '--shard', '0/2')
    const [first] = await there()
    const { json } = await owmJson<RunsResult>(['runs'], { cwd })
    expect(json.pipelines[0]?.runs.map(({ shard, state }) => [shard, state])).toEqual([
      ['0/2', 'done'],
      ['1/2', 'lost'],
      ['0/2', 'done'],
    ])
    expect(await again(cwd, 2, '--shard', '0/2')).toContain('nothing of it is lost')
    expect(await produce(cwd, 75, '--shard', '1/2')).toContain(`has lost ${total - first} tasks`)
    await again(cwd, 0, '--shard', '1/2')
    expect(await there()).toEqual([total, total])
  })

  it('what another sink lost', async () => {
    const cwd = await folder()
    const other = ['--set', 'sink.stream=other']
    await produce(cwd, 0)
    await lose(cwd)
    await again(cwd, 0, ...other)
    await run(cwd, 0, 'produce', '--slot', '2026-11-23T11:00:00Z')
    expect(await produce(cwd, 78)).toContain('was delivered to')
    expect(await there('other')).toEqual([count, count])
  })
})

describe('what is read again is read once', () => {
  it('the same command again delivers what waits, and is refused then', async () => {
    const cwd = await folder()
    await produce(cwd, 0)
    await lose(cwd)
    await again(cwd, 75, ...nowhere)
    await again(cwd, 0, '--force')
    expect(await there()).toEqual([count, count])
    expect(await again(cwd, 2)).toContain('nothing of it is lost')
    expect(await produce(cwd, 0)).toContain('all there already')
    expect(await there()).toEqual([count, count])
  })

  it('the same command again, where it was stored and waits', async () => {
    const cwd = await folder()
    await produce(cwd, 0)
    await lose(cwd)
    await again(cwd, 0, '--no-flush')
    expect(await there()).toEqual([0, 0])
    await again(cwd, 0)
    expect(await there()).toEqual([count, count])
  })

  it('what a replay from the source brought back is kept', async () => {
    const cwd = await folder()
    await produce(cwd, 0)
    await run(cwd, 0, 'outbox', 'purge', '--yes')
    await run(cwd, 0, 'outbox', 'replay', '--slot', slot, '--yes')
    await again(cwd, 2)
    expect(await produce(cwd, 0)).toContain('all there already')
    expect(await there()).toEqual([count, count])
  })

  it('what waits for the first time is not read again', async () => {
    const cwd = await folder()
    await produce(cwd, 0, '--no-flush')
    expect(await again(cwd, 2)).toContain('owm flush')
    await run(cwd, 0, 'flush')
    expect(await there()).toEqual([count, count])
  })
})

describe('a slot that is merely no longer kept', () => {
  const purge = (cwd: string) => run(cwd, 0, 'outbox', 'purge', '--yes')

  it('brings what the sink lacks of it, and nothing twice', async () => {
    const cwd = await folder()
    await produce(cwd, 0, ...limited)
    await purge(cwd)
    expect(await again(cwd, 0)).toContain('4 left out, since the sink holds them, 8 tasks delivered')
    expect(await there()).toEqual([count, count])
    expect(await run(cwd, 0, 'flush')).not.toContain('lost')
    expect(await run(cwd, 0, 'verify')).toContain('none differs')
  })

  it('brings what is left of a part that the sink lost', async () => {
    const cwd = await folder()
    await produce(cwd, 0)
    await lose(cwd)
    await again(cwd, 0, ...limited)
    await purge(cwd)
    await again(cwd, 0)
    expect(await there()).toEqual([count, count])
  })

  it('is reported twice if an operator had it sent twice, and lost once', async () => {
    const cwd = await folder()
    await produce(cwd, 0)
    await purge(cwd)
    await run(cwd, 0, 'outbox', 'replay', '--slot', slot, '--all', '--yes')
    expect(await there()).toEqual([2 * count, count])
    expect(await run(cwd, 0, 'verify')).toContain(`${count} tasks there twice or more, as they were sent twice`)
    await lose(cwd)
    expect(await run(cwd, 75, 'verify')).toContain(`lost ${count}: `)
  })
})

it.each([[[]], [['--no-flush']]])(
  'of a slot that was delivered in part and discarded, the sink gets the rest: %j',
  async (how) => {
    const cwd = await folder()
    await produce(cwd, 0, '--no-flush')
    await run(cwd, 0, 'flush', '--limit', '6')
    await run(cwd, 0, 'outbox', 'discard', '--pending', '--yes')
    await again(cwd, 0, ...how)
    await run(cwd, 0, 'flush')
    expect(await there()).toEqual([count, count])
  },
)
