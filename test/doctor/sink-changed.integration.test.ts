/** The sink was changed while tasks wait for the former one: every command says that no start goes on. */
import { expect, it } from 'vitest'
import type { DoctorResult } from '../../src/commands/doctor.js'
import type { VerifyResult } from '../../src/commands/verify.js'
import { owm, type Ran } from '../support/cli.js'
import { redisScene, slot } from '../support/redis-scene.js'
import { at, produce as produceAt, folderOf as scheduled } from '../support/scheduled.js'
import { doctor, expectFound, folderOf, healthy } from './scene.js'

const produce = ['produce', '--slot', slot]
const limited = [...produce, '--no-flush']
const wait = async (cwd: string): Promise<void> => {
  expect((await owm(limited, { cwd })).code).toBe(0)
  expect((await owm(['flush', '--limit', '5'], { cwd })).code).toBe(0)
}
const toOther = ['--set', 'sink.path=./other.jsonl']
const ten = '2026-11-23T10:00:05Z'
const eleven = '2026-11-23T11:00:05Z'
const found = 'holds 15 tasks for .*tasks.jsonl, but the sink is .*other.jsonl now'

it('doctor, config check --connect and owm say what flush says, and adopt leads out', async () => {
  const cwd = await folderOf(healthy)
  await wait(cwd)
  expect((await doctor(cwd)).json.checks).toContainEqual(
    expect.objectContaining({ code: 'outbox-sink', verdict: 'fine' }),
  )
  const ran = await doctor(cwd, toOther)
  expectFound(ran, 78, 'outbox-pending', 'outbox-runs', 'outbox-sink')
  const line = ran.json.checks.find(({ code }) => code === 'outbox-sink')
  expect(line?.found).toMatch(new RegExp(found))
  expect(line?.found).toContain('owm outbox adopt --sink --from pending')
  for (const [command, code] of [
    [['flush'], 78],
    [['produce', '--dry-run'], 78],
    [['config', 'check', '--connect'], 78],
    [['next'], 0],
  ] as const) {
    const { stdout, stderr, code: its } = await owm([...command, ...toOther], { cwd })
    expect({ its, told: `${stdout}${stderr}`.replaceAll(/\s+/g, ' ') }).toEqual({
      its: code,
      told: expect.stringMatching(new RegExp(found)),
    })
  }
  expect((await owm(['next'], { cwd })).stdout).toContain('owm flush  delivers 15 pending tasks')
  expect((await owm(['outbox', 'adopt', '--sink', '--from', 'pending', ...toOther], { cwd })).code).toBe(0)
  expect((await owm(['config', 'check', '--connect', ...toOther], { cwd })).code).toBe(0)
  expect((await owm(['flush', ...toOther], { cwd })).code).toBe(0)
  expectFound(await doctor(cwd, toOther), 0)
})

it('verify names no command that is refused', async () => {
  const { owm, owmJson } = await redisScene({ count: 20 })
  expect((await owm(limited)).code).toBe(0)
  expect((await owm(['flush', '--limit', '5'])).code).toBe(0)
  const toOther = ['--set', 'sink.stream=other']
  const todoOf = async (...args: string[]): Promise<string | undefined> =>
    (await owmJson<VerifyResult>(['verify', ...args])).json.slots[0]?.differences[0]?.todo
  expect(await todoOf()).toContain('owm flush` delivers what is stored')
  expect(await todoOf(...toOther)).toMatch(/holds 15 tasks for .*owm outbox adopt --sink --from pending/)
})

it('the same sink at another address is no other sink', async () => {
  const { owm, owmJson, redis, url } = await redisScene({ count: 20 })
  expect((await owm(limited)).code).toBe(0)
  expect((await owm(['flush', '--limit', '5'])).code).toBe(0)
  const direct = ['--set', `sink.url=${url.replace(/:\d+(?=[^:]*$)/, `:${redis.port}`)}`]
  const { json } = await owmJson<DoctorResult>(['doctor', ...direct])
  expect(json.checks).toContainEqual(expect.objectContaining({ code: 'outbox-sink', verdict: 'fine' }))
  expect((await owm(['config', 'check', '--connect', ...direct])).code).toBe(0)
  expect((await owm(['flush', ...direct])).code).toBe(0)
})

it('a slot that the former sink has: a dry run is refused as the start is, until the next one comes', async () => {
  const cwd = await scheduled()
  await produceAt(cwd, ten)
  const there = 'The slot 2026-11-23T10:00:00Z was delivered to .*tasks.jsonl, and the sink is .*other.jsonl now'
  const command = async (now: string, ...args: string[]): Promise<Pick<Ran, 'code' | 'stderr'>> => {
    const { code, stdout, stderr } = await owm([...args, ...toOther], at(cwd, now))
    return { code, stderr: `${stdout}${stderr}`.replaceAll(/\s+/g, ' ') }
  }
  const refused = { code: 78, stderr: expect.stringMatching(there) }
  expect(await command(ten, 'produce')).toEqual(refused)
  expect(await command(ten, 'produce', '--dry-run')).toEqual(refused)
  const next = `owm produce --dry-run ${there}; the next scheduled time is 2026-11-23T11:00:00Z`
  expect(await command(ten, 'next')).toEqual({ code: 0, stderr: expect.stringMatching(next) })
  for (const dry of [['--dry-run'], []]) expect(await command(eleven, 'produce', ...dry)).toMatchObject({ code: 0 })
  expect(await command(eleven, 'next')).toMatchObject({ stderr: expect.stringContaining('nothing is to be done') })
})
