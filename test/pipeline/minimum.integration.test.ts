/** Nothing usable is no success; a list that gives too little delivers nothing; what was read is kept. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { InspectResult } from '../../src/commands/outbox/inspect.js'
import type { ProduceResult } from '../../src/commands/produce.js'
import { owm, owmJson, temporaryFolder } from '../support/cli.js'

interface Failed extends ProduceResult {
  error?: { code: string; message: string; hint: string }
}

const slot = (hour: number): string => `2026-11-23T${String(hour).padStart(2, '0')}:00:00Z`

/** A folder with a list and a configuration for it. */
async function folderOf(rows: string, source: Record<string, unknown> = {}): Promise<string> {
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, 'list.csv'), rows)
  await configure(cwd, { use: 'static-list', file: 'list.csv', ...source })
  return cwd
}

async function configure(cwd: string, source: Record<string, unknown>): Promise<void> {
  const sink = { use: 'jsonl', path: 'tasks.jsonl' }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ source, sink, outbox: { path: 'outbox.db' } }))
}

const list = (count: number): string =>
  `id,name,lat,lon\n${Array.from({ length: count }, (_, index) => `${index},p${index},1,${index + 1}\n`).join('')}`

const produce = (cwd: string, hour: number, ...args: string[]) =>
  owmJson<Failed>(['produce', '--slot', slot(hour), ...args], { cwd })

const cities = async (cwd: string): Promise<string[]> =>
  (await readFile(join(cwd, 'tasks.jsonl'), 'utf8').catch(() => ''))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).city)

const statesIn = async (cwd: string): Promise<string[]> =>
  (await owmJson<InspectResult>(['outbox', 'inspect'], { cwd })).json.runs.map(({ state }) => state)

test('rejected locations are reported: how many, why, and an example', async () => {
  const cwd = await folderOf('name,lat,lon\nA,1,2\nB,91,2\nC,92,2\n,1,2\n')
  const { code, stderr, json } = await produce(cwd, 1)
  expect(code).toBe(0)
  expect(stderr).toMatch(/2 locations were rejected: latitude must be .*, not \\"91\\" \(line 3, column \\"lat\\": /)
  expect(stderr).toMatch(/1 location was rejected: city is empty \(line 5, column \\"name\\": /)
  expect(json.source).toMatchObject({
    rejected: 3,
    rejectedFor: [
      { count: 2, position: 'line 3, column "lat"' },
      { count: 1, reason: 'city is empty' },
    ],
  })
})

test.each<[what: string, args: string[]]>([
  ['a run', []],
  ['a dry run', ['--dry-run']],
])('nothing usable in a source that gave something is 65: %s', async (_, args) => {
  const cwd = await folderOf('name,lat,lon\nA,91,2\nB,92,2\n')
  const { code, json } = await produce(cwd, 1, ...args)
  expect(code).toBe(65)
  expect(json.error).toMatchObject({
    code: 'INPUT_REJECTED',
    message: expect.stringMatching(/^None of the 2 locations .* latitude must be .*\(2, first line 2, column "lat"\)/),
  })
  expect(await cities(cwd)).toEqual([])
})

test('nothing usable is reported by `config check --connect`, too', async () => {
  const cwd = await folderOf('name,lat,lon\nA,91,2\nB,92,2\n')
  const { code, stdout } = await owm(['config', 'check', '--connect'], { cwd })
  expect(code).not.toBe(0)
  expect(stdout).toMatch(/None of the 2 locations/)
})

test('an empty list is a warning, and an error where locations must be', async () => {
  const cwd = await folderOf('name,lat,lon\n')
  const { code, stderr } = await produce(cwd, 1)
  expect(code).toBe(0)
  expect(stderr).toMatch(/gave no location/)
  expect((await produce(cwd, 2, '--set', 'source.minLocations=1')).code).toBe(65)
  // What the warning says, once the list is fixed.
  expect(stderr).toContain(`once it has some, \`owm produce --slot ${slot(1)}\` reads it`)
  await writeFile(join(cwd, 'list.csv'), list(3))
  expect((await produce(cwd, 1)).json.sink.delivered).toBe(3)
})

test('a list that has less than half of what it had is a warning, with -q, too', async () => {
  const cwd = await folderOf(list(9))
  const quiet = (hour: number) => owm(['produce', '-q', '--slot', slot(hour)], { cwd })
  expect(await quiet(1)).toMatchObject({ code: 0, stderr: '' })
  await writeFile(join(cwd, 'list.csv'), list(5))
  expect(await quiet(2)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  await writeFile(join(cwd, 'list.csv'), list(2))
  const shrunk = await quiet(3)
  expect(shrunk).toMatchObject({ code: 0, stdout: '' })
  expect(shrunk.stderr).toMatch(/the list has 2 locations, and had 5 for the slot .*source\.minShare: 0\.5/)
  expect(await quiet(3)).toMatchObject({ code: 0, stderr: '' })
})

test('fewer than minLocations: nothing goes out, and the slot is read again', async () => {
  const cwd = await folderOf(list(2), { minLocations: 3 })
  const short = await produce(cwd, 1, '--set', 'flush.batchSize=1')
  expect(short.code).toBe(65)
  expect(short.json.error?.message).toMatch(
    /gave 2 locations that can be used, not 3: nothing of this run is delivered/,
  )
  expect(short.json.outbox.pending).toBe(0)
  expect(await owm(['flush'], { cwd })).toMatchObject({ code: 0 })
  expect(await cities(cwd)).toEqual([])
  expect(await statesIn(cwd)).toEqual(['missed'])
  await writeFile(join(cwd, 'list.csv'), list(3))
  expect(await produce(cwd, 1)).toMatchObject({ code: 0, json: { sink: { delivered: 3 } } })
  expect(await cities(cwd)).toEqual(['p0', 'p1', 'p2'])
})

test('minShare compares with the last run that was delivered; without it the summary says how many fewer', async () => {
  const cwd = await folderOf(list(10), { minShare: 0.8 })
  expect(await produce(cwd, 1)).toMatchObject({ code: 0 })
  await writeFile(join(cwd, 'list.csv'), list(7))
  const short = await produce(cwd, 2)
  expect(short.code).toBe(65)
  expect(short.json.error).toMatchObject({
    message: expect.stringMatching(/gave 7 .*, not 8 \(0\.8 of the 10 of the last run\)/),
    hint: expect.stringContaining('source.minShare'),
  })
  expect(await cities(cwd)).toHaveLength(10)
  await writeFile(join(cwd, 'list.csv'), list(8))
  expect(await produce(cwd, 3)).toMatchObject({ code: 0, json: { source: { fewer: 2 } } })
  await writeFile(join(cwd, 'list.csv'), list(7))
  const line = await owm(['produce', '--slot', slot(4)], { cwd })
  expect(line.stdout).toMatch(/7 locations read, 1 fewer than last time/)
})

test('minShare is reported by a dry run and a plan, too', async () => {
  const cwd = await folderOf(list(10), { minShare: 0.8 })
  const dry = (hour: number) => owmJson<Failed>(['produce', '--dry-run', '--slot', slot(hour)], { cwd })
  const plan = () => owmJson<Failed>(['plan', '--set', 'schedule.cron=0 * * * *'], { cwd })
  expect([(await dry(1)).code, (await plan()).code]).toEqual([0, 0])
  expect(await produce(cwd, 1)).toMatchObject({ code: 0 })
  await writeFile(join(cwd, 'list.csv'), list(7))
  const message = expect.stringMatching(/gave 7 .*, not 8 \(0\.8 of the 10 of the last run\)/)
  expect(await dry(2)).toMatchObject({ code: 65, json: { error: { message } } })
  expect(await plan()).toMatchObject({ code: 65, json: { error: { message } } })
  await writeFile(join(cwd, 'list.csv'), list(8))
  expect([(await dry(2)).code, (await plan()).code]).toEqual([0, 0])
})

test('minShare compares a shard with itself, not the whole list with a shard', async () => {
  const cwd = await folderOf(list(40), { minShare: 0.5 })
  const shard = ['--shard', '0/4']
  const first = await produce(cwd, 1, ...shard)
  expect(first).toMatchObject({ code: 0 })
  const share = Math.ceil(first.json.source.read / 2)
  await writeFile(join(cwd, 'list.csv'), list(10))
  const message = expect.stringContaining(`, not ${share} (0.5 of the ${first.json.source.read} of the last run)`)
  expect(await produce(cwd, 2, ...shard, '--dry-run')).toMatchObject({ code: 65, json: { error: { message } } })
  expect(await produce(cwd, 2, ...shard)).toMatchObject({ code: 65, json: { error: { message } } })
  await writeFile(join(cwd, 'list.csv'), list(40))
  expect(await produce(cwd, 3, ...shard)).toMatchObject({ code: 0 })
})

test('is judged after `where`, before a shard', async () => {
  const cwd = await folderOf(list(8), { minLocations: 8 })
  expect(await produce(cwd, 1, '--shard', '0/4')).toMatchObject({ code: 0 })
  await configure(cwd, { use: 'static-list', file: 'list.csv', minLocations: 8, where: { city: ['p1', 'p2'] } })
  expect(await produce(cwd, 2)).toMatchObject({ code: 65 })
})

test('is judged of each run where one start has several', async () => {
  const cwd = await temporaryFolder()
  const shrinking = `
    import { defineSource, z } from 'owm'
    let runs = 0
    export default defineSource({
      name: 'shrinking',
      description: 'gives less each time',
      options: z.strictObject({}),
      open: () => ({
        async *read() {
          const count = runs++ === 0 ? 8 : 2
          const place = (_, index) => ({ city: 'p' + index, latitude: 1, longitude: 1 })
          const locations = Array.from({ length: count }, place)
          yield { locations, resume: 'end', position: (index) => 'row ' + index }
        },
      }),
    })`
  await writeFile(join(cwd, 'shrinking.mjs'), shrinking)
  const source = { use: './shrinking.mjs', minLocations: 5, where: { bbox: [0, 0, 2, 2] } }
  const rest = { sink: { use: 'jsonl', path: 'tasks.jsonl' }, schedule: { cron: '0 * * * *' } }
  await writeFile(join(cwd, '.owmrc.json'), JSON.stringify({ source, ...rest, outbox: { path: 'outbox.db' } }))
  const two = await owmJson<Failed>(['backfill', '--from', slot(1), '--to', slot(2)], { cwd })
  expect(two).toMatchObject({ code: 65, json: { error: { message: expect.stringMatching(/gave 2 .*, not 5/) } } })
  expect(await cities(cwd)).toHaveLength(8)
})

/** A source that yields pages of that many locations, then fails. */
const failing = (pages: readonly number[]): string => `
  import { defineSource, TransientError, z } from 'owm'
  export default defineSource({
    name: 'failing',
    description: 'gives some, then fails',
    options: z.strictObject({ fails: z.boolean().default(true) }),
    open: ({ fails }) => ({
      async *read(resume) {
        let next = Number(resume ?? 0)
        for (const count of ${JSON.stringify(pages)}) {
          const from = next
          next += count
          if (from < Number(resume ?? 0)) continue
          const place = (number) => ({ city: 'p' + number, latitude: 1, longitude: number })
          const locations = Array.from({ length: count }, (_, index) => place(from + index))
          yield { locations, resume: String(next), position: (index) => 'row ' + (from + index) }
        }
        if (fails) throw new TransientError('the last page is not there', { hint: 'Look for it.' })
      },
    }),
  })`

test('what was read before a source failed is delivered, and read only once', async () => {
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, 'failing.mjs'), failing([3, 4]))
  await configure(cwd, { use: './failing.mjs' })
  const half = await produce(cwd, 1)
  expect(half.code).toBe(75)
  expect(half.json.error?.message).toBe('The source ./failing.mjs failed: the last page is not there')
  expect(half.json.error?.hint).toMatch(/^Look for it\. What was read is safe: 7 locations of slot /)
  expect(await cities(cwd)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'])
  await configure(cwd, { use: './failing.mjs', fails: false })
  expect(await produce(cwd, 1)).toMatchObject({ code: 0 })
  expect(await cities(cwd)).toHaveLength(7)
})

test('what was read before a source failed waits where it is too little', async () => {
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, 'failing.mjs'), failing([3]))
  await configure(cwd, { use: './failing.mjs', minLocations: 5 })
  expect((await produce(cwd, 1)).code).toBe(75)
  expect(await cities(cwd)).toEqual([])
})

test('the same place again is a duplicate, another place under its id a conflict', async () => {
  const rows = ['10,Bern,46.9,7.44,x', '11,Basel,47.5,7.58,x', '10,Bern,46.90,7.440,y', '', '10,Tokyo,35.7,139.7,x']
  const cwd = await folderOf(`id,name,lat,lon,note\n${rows.join('\n')}\n`)
  const { code, stderr, json } = await produce(cwd, 1)
  expect(code).toBe(0)
  expect(json.source).toMatchObject({ read: 4, rejected: 1, duplicates: 1 })
  expect(stderr).toMatch(/its id is another place's, too: line 2 \(.*\(line 6: /)
  expect(await cities(cwd)).toEqual(['Bern', 'Basel'])
  const strict = await produce(cwd, 1, '--strict')
  expect(strict).toMatchObject({ code: 65, json: { source: { rejected: 1 } } })
  const inspected = await owm(['outbox', 'inspect', '--state', 'rejected'], { cwd })
  expect(inspected.stdout).toMatch(/line 6 .*line 2/)
})

test('a conflict names both places in a list without any order, and after rejected ones', async () => {
  const ids = Array.from({ length: 40 }, (_, index) => (index * 7919) % 1009)
  const rows = ids.map((id, index) => (index % 7 === 3 ? `${id},,1,2` : `${id},p${id},1,${index + 1}`))
  const cwd = await folderOf(`id,name,lat,lon\n${rows.join('\n')}\n${ids[30]},other,5,5\n`)
  const { stderr } = await produce(cwd, 1)
  expect(stderr).toMatch(/its id is another place's, too: line 32 \(.*\(line 42: /)
})

test('a filter by a field that no location has is a mistake, and the nearest is named', async () => {
  const cwd = await folderOf(list(30))
  const wrong = await produce(cwd, 1, '--set', 'source.where.ctiy=p1')
  expect(wrong).toMatchObject({ code: 78, json: { error: { message: 'source.where: no location has ctiy.' } } })
  expect(wrong.json.error?.hint).toBe('Did you mean "city"?')
  expect(await produce(cwd, 2, '--set', 'source.where.zone=x')).toMatchObject({ code: 78 })
  expect(await produce(cwd, 3, '--set', 'source.where.zone=')).toMatchObject({
    code: 0,
    json: { source: { read: 30 } },
  })
})

test('a filter that leaves out all says so, and a nested field is named with the mapping that reaches it', async () => {
  const cwd = await folderOf(list(3))
  const none = await produce(cwd, 1, '--set', 'source.where.city=Bern')
  expect(none).toMatchObject({ code: 0, stderr: expect.stringMatching(/gave no location: filters left out all 3/) })
  const few = await produce(cwd, 2, '--set', 'source.where.city=Bern', '--set', 'source.minLocations=1')
  expect(few).toMatchObject({ code: 65, json: { error: { message: expect.stringMatching(/filters left out 3/) } } })
  const place = { name: 'A', lat: 1, lon: 2, tags: { country: 'CH' } }
  await configure(cwd, { use: 'static-list', locations: [place], where: { 'tags.country': 'CH' } })
  const nested = await produce(cwd, 3)
  expect(nested).toMatchObject({
    code: 78,
    json: { error: { hint: expect.stringMatching(/\{country: tags\.country\}/) } },
  })
})
