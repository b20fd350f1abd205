/** Dead letters of a slot that is read again: those read again are settled, so that no task is delivered twice. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunsResult } from '../../src/commands/runs/index.js'
import { folderWith, owm, owmJson, root } from '../support/cli.js'

const slot = '2026-11-23T10:00:00Z'
const count = 12
const refusing = ['--set', 'sink.refuses="city":"P3"']
const replay = ['outbox', 'replay', '--slot', slot, '--yes']
const again = ['produce', '--slot', slot, '--again']

/** Places P1 to P12 except one. */
const placesBut = (without: number): string =>
  Array.from({ length: count }, (_, index) => index + 1)
    .filter((id) => id !== without)
    .reduce((text, id) => `${text}${id},P${id},${id},${id}\n`, 'id,city,latitude,longitude\n')

async function folder(): Promise<string> {
  const cwd = await folderWith({
    source: { use: 'static-list', file: './places.csv' },
    sink: { use: join(root, 'test', 'plugins', 'chain-sink.mjs'), file: 'chain.json' },
    outbox: { path: './outbox.db' },
    flush: { batchSize: 5 },
  })
  await writeFile(join(cwd, 'places.csv'), placesBut(0))
  return cwd
}

async function run(cwd: string, code: number, ...args: string[]): Promise<string> {
  const ended = await owm(args, { cwd })
  expect({ args, code: ended.code, stderr: ended.stderr }).toMatchObject({ args, code })
  return ended.stdout + ended.stderr
}

/** Tasks in the sink, and ids among them. */
async function there(cwd: string): Promise<[number, number]> {
  const { tasks }: { tasks: string[] } = JSON.parse(await readFile(join(cwd, 'chain.json'), 'utf8'))
  return [tasks.length, new Set(tasks.map((task) => JSON.parse(task).task_id)).size]
}

async function runsOf(cwd: string): Promise<object[]> {
  const { json } = await owmJson<RunsResult>(['runs'], { cwd })
  return json.pipelines[0]?.runs.toReversed() ?? []
}

/** A served slot of which only a dead letter is kept: the sink refused one task. */
async function withDeadLetter(): Promise<string> {
  const cwd = await folder()
  await run(cwd, 75, 'produce', '--slot', slot, ...refusing)
  await run(cwd, 0, 'outbox', 'purge', '--yes')
  return cwd
}

async function withDiscarded(): Promise<string> {
  const cwd = await folder()
  await run(cwd, 0, 'produce', '--slot', slot, '--no-flush')
  await run(cwd, 75, 'flush', '--limit', '6', ...refusing)
  await run(cwd, 0, 'outbox', 'discard', '--pending', '--yes')
  return cwd
}

async function withLost(): Promise<string> {
  const cwd = await withDeadLetter()
  await rm(join(cwd, 'chain.json'))
  await run(cwd, 75, 'flush')
  return cwd
}

test.each([
  ['purged, replayed', withDeadLetter, replay],
  ['purged, read again', withDeadLetter, again],
  ['discarded, read again', withDiscarded, again],
  ['lost, read again', withLost, again],
  ['read again, and pending by then', withDeadLetter, [...again, '--no-flush']],
])('%s: the dead letter has come with the rest', async (_name, before, command) => {
  const cwd = await before()
  await run(cwd, 0, ...command)
  expect(await run(cwd, 0, 'outbox', 'retry', '--all')).toContain('0 dead tasks put back')
  await run(cwd, 0, 'flush')
  expect(await there(cwd)).toEqual([count, count])
  for (const one of await runsOf(cwd)) expect(one).toMatchObject({ dead: 0, isAccounted: true })
})

test('refused again: there is one dead letter, and it comes once', async () => {
  const cwd = await withDeadLetter()
  await run(cwd, 75, ...replay, ...refusing)
  expect(await runsOf(cwd)).toMatchObject([
    { dead: 0, delivered: count, isAccounted: true },
    { dead: 1, delivered: count - 1, isAccounted: true },
  ])
  expect(await run(cwd, 0, 'outbox', 'retry', '--all')).toContain('1 dead task put back')
  await run(cwd, 0, 'flush')
  expect(await there(cwd)).toEqual([count, count])
})

test('what the list no longer has stays dead; where a later list has it, it comes with that', async () => {
  const cwd = await withDeadLetter()
  await writeFile(join(cwd, 'places.csv'), placesBut(3))
  await run(cwd, 75, ...replay)
  expect(await runsOf(cwd)).toMatchObject([
    { dead: 1, isAccounted: true },
    { dead: 0, delivered: count - 1 },
  ])
  const { receipts }: { receipts: object } = JSON.parse(await readFile(join(cwd, 'chain.json'), 'utf8'))
  expect(Object.values(receipts)).toMatchObject([{ delivered: count - 1, dead: 0 }])
  await writeFile(join(cwd, 'places.csv'), placesBut(0))
  await run(cwd, 0, 'produce', '--slot', slot)
  expect(await run(cwd, 0, 'outbox', 'retry', '--all')).toContain('0 dead tasks put back')
  expect(await there(cwd)).toEqual([count, count])
})

test('one that was put back waits for the sink: until then its slot is not read again', async () => {
  const cwd = await withDeadLetter()
  await run(cwd, 0, 'outbox', 'retry', '--all')
  expect(await run(cwd, 2, ...again)).toContain('owm flush')
  await run(cwd, 0, 'flush')
  expect(await run(cwd, 0, ...again)).toContain(`${count} left out`)
  expect(await there(cwd)).toEqual([count, count])
})
