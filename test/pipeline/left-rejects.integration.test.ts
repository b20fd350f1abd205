/** Rejected locations of a start that was killed are reported by the one that ends its run. */
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { FlushResult } from '../../src/commands/flush.js'
import type { ProduceResult } from '../../src/commands/produce.js'
import { here, jsonl, list, nowhere, outbox } from '../cli/scene.js'
import { folderWith, owm, owmJson, root } from '../support/cli.js'
import { at } from '../support/scheduled.js'

const [ten, eleven, twelve] = ['10', '11', '12'].map((hour) => `2026-11-23T${hour}:00:00Z`)
const crashAt = (step: string) => ({
  node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
  env: { OWM_CRASH_AT: step },
})

it('the start that ends a killed run tells what it rejected, by its slot; --strict says which and why', async () => {
  const cwd = await folderWith({ source: list(here, nowhere), sink: jsonl, outbox })
  const killedAt = async (slot = '') => {
    const killed = await owm(['produce', '--slot', slot], { cwd, ...crashAt('reading:ended') })
    expect(killed.stderr).not.toContain('rejected')
  }
  await killedAt(ten)
  const next = await owmJson<ProduceResult>(['produce', '-q', '--slot', eleven ?? ''], { cwd })
  expect(next).toMatchObject({ code: 0, json: { source: { rejected: 1 }, sink: { delivered: 2 } } })
  expect(next.json.served.find(({ slot }) => slot === ten)?.rejectedFor).toMatchObject([{ count: 1 }])
  expect(next.stderr).toMatch(/1 location of slot 2026-11-23T10:00:00Z was rejected: latitude/)
  expect(next.stderr).toMatch(/1 location was rejected: latitude/)
  await killedAt(twelve)
  const strict = await owm(['produce', '--strict', '-q', '--slot', twelve ?? ''], { cwd })
  expect(strict.code).toBe(65)
  expect(strict.stderr).toMatch(/1 location was rejected: latitude/)
  expect(strict.stderr).toMatch(/can't be used in slot 2026-11-23T12:00:00Z: latitude must be/)
  expect((await owm(['produce', '-q', '--slot', '2026-11-23T13:00:00Z'], { cwd })).stderr).not.toContain('of slot')
})

it('--strict fails for what a start rejects, or tells, of a slot that an earlier one left', async () => {
  const configured = (...places: object[]) => ({
    schedule: { cron: '0 * * * *' },
    source: list(...places),
    sink: jsonl,
    outbox,
  })
  const cwd = await folderWith(configured(here))
  const strict = async () => {
    const { code, stderr } = await owm(['produce', '--strict', '-q'], at(cwd, '2026-11-23T14:30:00Z'))
    return { code, stderr }
  }
  const failedIn = (slot = '') => ({
    code: 65,
    stderr: expect.stringMatching(new RegExp(`owm: 1 location of .* can't be used in slot ${slot}: latitude`)),
  })
  const killedIn = (slot = '', step = '') => owm(['produce', '--slot', slot], { cwd, ...crashAt(step) })
  const fine = { code: 0, stderr: expect.not.stringContaining('rejected') }
  expect(await strict()).toEqual(fine)
  expect((await killedIn(ten, 'intake:persisted:1')).signal).toBe('SIGKILL')
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify(configured(here, nowhere)))
  expect(await strict()).toEqual(failedIn(ten))
  expect(await strict()).toEqual(fine)
  expect((await killedIn(twelve, 'reading:ended')).signal).toBe('SIGKILL')
  expect(await strict()).toEqual(failedIn(twelve))
})

it('what a start has reported while the sink was away is not reported by the one that delivers it', async () => {
  const cwd = await folderWith({ source: list(here, nowhere), sink: jsonl, outbox })
  const told = async (slot = '') => (await owm(['produce', '-q', '--slot', slot], { cwd })).stderr
  const away = join(cwd, jsonl.path)
  await mkdir(away)
  expect(await told(ten)).toContain('warning: 1 location was rejected')
  const killed = await owm(['produce', '--slot', eleven ?? ''], { cwd, ...crashAt('checking:ended') })
  expect(killed.stderr).not.toContain('rejected')
  // Other holders of the outbox leave that as it is meanwhile.
  expect((await owm(['flush'], { cwd })).code).not.toBe(0)
  const next = await told(twelve)
  expect(next).toContain('1 location of slot 2026-11-23T11:00:00Z was rejected')
  expect(next).not.toContain('of slot 2026-11-23T10')
  expect((await owm(['flush'], { cwd })).code).not.toBe(0)
  await rmdir(away)
  expect(await told('2026-11-23T13:00:00Z')).not.toContain('of slot')
  const { totals } = (await owmJson<{ totals: { pending: number } }>(['outbox', 'inspect'], { cwd })).json
  expect(totals.pending).toBe(0)
})

it('a flush that ends a killed run tells what it rejected, once it is whole, and once', async () => {
  const places = [here, { ...here, city: 'There' }, nowhere]
  const cwd = await folderWith({ source: list(...places), sink: jsonl, outbox })
  const killed = await owm(['produce', '--slot', ten ?? ''], { cwd, ...crashAt('checking:ended') })
  expect(killed.stderr).not.toContain('rejected')
  expect((await owm(['flush', '--limit', '1'], { cwd })).stderr).not.toContain('rejected')
  const flushed = await owmJson<FlushResult>(['flush'], { cwd })
  expect(flushed).toMatchObject({
    code: 0,
    json: { sink: { delivered: 1 }, served: [{ slot: ten, rejectedFor: [{ count: 1 }] }] },
    stderr: expect.stringMatching(/1 location of slot 2026-11-23T10:00:00Z was rejected: latitude/),
  })
  for (const args of [['flush'], ['produce', '--slot', eleven ?? '']])
    expect((await owm([...args, '-q'], { cwd })).stderr).not.toContain('of slot')
})

it('a run that was reported is not reported again when tasks of it are put back', async () => {
  const cwd = await folderWith({ source: list(here, nowhere), sink: { use: './moody.mjs' }, outbox })
  await writeFile(
    join(cwd, 'moody.mjs'),
    `import { existsSync } from 'node:fs'
     import { defineSink, z } from 'owm'
     const outcome = () => (existsSync(${JSON.stringify(join(cwd, 'refuse'))}) ? { refused: 'a mood' } : 'delivered')
     const open = () => ({ guarantee: 'at-least-once', deliver: async ({ tasks }) => tasks.map(outcome) })
     export default defineSink({ name: 'moody', description: 'refuses', options: z.strictObject({}), open })`,
  )
  for (const { slot, next } of [
    { slot: ten, next: ['flush'] },
    { slot: eleven, next: ['produce', '--slot', twelve ?? ''] },
  ]) {
    await writeFile(join(cwd, 'refuse'), '')
    const told = await owm(['produce', '--slot', slot ?? ''], { cwd })
    expect(told).toMatchObject({ code: 75, stderr: expect.stringContaining('1 location was rejected') })
    expect((await owm(['outbox', 'retry', '--all'], { cwd })).code).toBe(0)
    await rm(join(cwd, 'refuse'))
    const { code, stderr } = await owm(next, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('of slot') })
  }
})
