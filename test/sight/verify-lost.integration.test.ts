/** `owm verify` of slots that a sink has lost for good: also where another sink has taken its place since. */
import { beforeEach, expect, it } from 'vitest'
import type { VerifyResult } from '../../src/commands/verify.js'
import { base } from '../cli/scene.js'
import { folderWith, owm, owmJson } from '../support/cli.js'
import { redisHere } from '../support/redis-here.js'

const redis = redisHere()
beforeEach(() => redis().client.flushall())

const [ten, eleven, twelve] = ['2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z', '2026-11-23T12:00:00Z']
const toOther = ['--set', 'sink.stream=other']

async function run(cwd: string, code: number, ...args: string[]): Promise<void> {
  const ran = await owm(args, { cwd })
  expect(ran, ran.stderr).toMatchObject({ code })
}

/** An outbox whose sink has lost the slot of 10:00, which the history no longer has. */
async function lostSlot(): Promise<string> {
  const cwd = await folderWith({ ...base, sink: { use: 'redis-stream', url: redis().server.url } })
  await run(cwd, 0, 'produce', '--slot', ten)
  await run(cwd, 0, 'outbox', 'purge', '--older-than', '0s', '--yes')
  await redis().client.del('owm-ingestion-stream')
  await run(cwd, 75, 'produce', '--slot', eleven)
  return cwd
}

const verify = (cwd: string, ...args: string[]) => owmJson<VerifyResult>(['verify', ...args], { cwd })
const lost = { slot: ten, state: 'different', delivered: 0, differences: [{ kind: 'lost', count: 20 }] }

it('what one sink has lost differs at the next one, too, until it is replayed', async () => {
  const cwd = await lostSlot()
  expect(await verify(cwd, '--slot', ten)).toMatchObject({ code: 75, json: { slots: [{ slot: ten, delivered: 0 }] } })
  await run(cwd, 0, 'produce', '--slot', twelve, ...toOther)
  expect(await verify(cwd, ...toOther)).toMatchObject({
    code: 75,
    json: { different: 1, slots: [{ state: 'same' }, { slot: eleven, state: 'elsewhere', delivered: 20 }, lost] },
  })
  await run(cwd, 0, 'outbox', 'replay', '--slot', ten, '--yes', ...toOther)
  expect(await verify(cwd, '--slot', ten, ...toOther)).toMatchObject({
    code: 0,
    json: { slots: [{ state: 'same', delivered: 20, there: 20 }] },
  })
})

it('a lost slot that somebody gave up has nothing delivered', async () => {
  const cwd = await lostSlot()
  await run(cwd, 0, 'outbox', 'discard', '--older-than', '0s', '--yes')
  expect(await verify(cwd, '--slot', ten)).toMatchObject({
    code: 0,
    json: { slots: [{ state: 'discarded', delivered: 0, there: 0 }] },
  })
})

it('a slot in which nothing was due is at the sink that has its receipt', async () => {
  const more = { schedule: { cron: '0 * * * *' }, cadence: { default: '3h' } }
  const cwd = await folderWith({ ...base, ...more, sink: { use: 'redis-stream', url: redis().server.url } })
  await run(cwd, 0, 'produce', '--slot', ten)
  await run(cwd, 0, 'produce', '--slot', eleven)
  for (const [args, state] of [
    [[], 'same'],
    [toOther, 'elsewhere'],
  ] as const)
    expect(await verify(cwd, '--slot', eleven, ...args)).toMatchObject({
      code: 0,
      json: { slots: [{ slot: eleven, delivered: 0, state }] },
    })
})
