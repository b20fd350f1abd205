/**
 * Tasks that a sink will never take, and sinks that misbehave: what is refused is
 * set aside with its reason, everything else arrives, and nobody is told that
 * all is well.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { folderWith, owm, owmJson, type Ran, root } from '../support/cli.js'
import { places, retriesIn, slot } from '../support/redis-scene.js'

const produce = ['produce', '--slot', slot]
const library = JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)

interface Answer {
  error?: { code: string; message: string; hint?: string }
  source: { read: number }
  outbox: { persisted: number; pending: number; dead: number }
  sink: { delivered: number }
}

interface Inspected {
  totals: { pending: number; dead: number }
  runs: { state: string; delivered: number; dead: number; read: number }[]
  tasks: { seq: number; state: string; attempts: number; lastError: string | null; task: { location_id: number } }[]
}

interface Scene {
  folder: string
  /** What the sink wrote down: the places that it took, in order. */
  taken(): Promise<string[]>
  /** What it noted of its life: `open`, `deliver 1-500`, `close`. */
  diary(): Promise<string[]>
  inspect(...args: string[]): Promise<Inspected>
}

/**
 * A folder with a sink of the test's own. `body` is the source text of its methods; `take(task)` writes a
 * task down for `taken()`, `place(task)` names it, `note(text)` is for the diary.
 */
async function sceneWith(body: string, { count = 1_250, open = '' } = {}): Promise<Scene> {
  const folder = await folderWith({
    source: { use: 'simulated-db', count },
    sink: { use: './sink.mjs' },
    outbox: { path: './outbox.db' },
    retry: { attempts: 3, initialDelayMs: 10, maxDelayMs: 50 },
    breaker: { failures: 1_000 },
  })
  const module = `
    import { appendFileSync } from 'node:fs'
    import { ConfigurationError, defineSink, RefusedError, z } from ${library}
    const folder = ${JSON.stringify(folder)}
    const note = (text) => appendFileSync(folder + '/diary', text + '\\n')
    const take = (task) => (appendFileSync(folder + '/taken', task + '\\n'), 'delivered')
    const place = (task) => 'place ' + JSON.parse(task).location_id
    export default defineSink({
      name: 'own', description: 'of this test', options: z.strictObject({}),
      async open() {
        note('open')
        ${open}
        return {
          guarantee: 'at-least-once',
          async close() { note('close') },
          ${body}
        }
      },
    })`
  await writeFile(join(folder, 'sink.mjs'), module)
  const lines = async (name: string): Promise<string[]> =>
    (await readFile(join(folder, name), 'utf8').catch(() => '')).split('\n').slice(0, -1)
  return {
    folder,
    taken: async () => (await lines('taken')).map((line) => `place ${JSON.parse(line).location_id}`),
    diary: () => lines('diary'),
    inspect: async (...args) =>
      (await owmJson<Inspected>(['outbox', 'inspect', '--limit', '100000', ...args], { cwd: folder })).json,
  }
}

const poison = ['place 7', 'place 499', 'place 777']
const rest = (count: number): string[] => places(count).filter((place) => !poison.includes(place))
const isPoison = `const isPoison = (task) => ${JSON.stringify(poison)}.includes(place(task))`

/** Not everything that was read is in the sink: 75, and where to look. */
function expectDeadTold(ran: Ran & { json: Answer }): void {
  expect(ran.code, 'dead tasks must not end in exit code 0').toBe(75)
  expect(ran.json.outbox).toMatchObject({ pending: 0, dead: 3 })
  expect(`${ran.json.error?.message} ${ran.json.error?.hint}`).toContain('owm outbox inspect --state dead')
}

/** The refused ones are dead with their reason, all others arrived, once and in order. */
async function expectSetAside(scene: Scene, reason: (place: string) => string): Promise<void> {
  expect(await scene.taken()).toEqual(rest(1_250))
  const { totals, runs, tasks } = await scene.inspect('--state', 'dead')
  expect(totals).toMatchObject({ pending: 0, dead: 3 })
  expect(runs).toMatchObject([{ state: 'done', read: 1_250, delivered: 1_247, dead: 3 }])
  expect(tasks.map(({ seq, state, lastError, task }) => ({ seq, state, lastError, id: task.location_id }))).toEqual([
    { seq: 7, state: 'dead', lastError: reason('place 7'), id: 7 },
    { seq: 499, state: 'dead', lastError: reason('place 499'), id: 499 },
    { seq: 777, state: 'dead', lastError: reason('place 777'), id: 777 },
  ])
}

describe('tasks that the sink refuses for good', () => {
  const byOutcome = `async deliver({ tasks }) {
    ${isPoison}
    return tasks.map((task) => (isPoison(task) ? { refused: place(task) + ' is unknown' } : take(task)))
  }`

  test('named one by one: the others of the batch arrive, once and in order', async () => {
    const scene = await sceneWith(byOutcome)
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    expect(ran.json.sink.delivered).toBe(1_247)
    await expectSetAside(scene, (place) => `${place} is unknown`)
    expectDeadTold(ran)
  })

  test('as a whole batch (RefusedError): it is split until they stand alone', async () => {
    const scene = await sceneWith(`async deliver({ tasks, firstSeq }) {
      ${isPoison}
      note('deliver ' + firstSeq + '-' + (firstSeq + tasks.length - 1))
      if (tasks.some(isPoison)) throw new RefusedError('something in here is unknown')
      return tasks.map(take)
    }`)
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    expect(ran.json.sink.delivered).toBe(1_247)
    await expectSetAside(scene, () => 'something in here is unknown')
    const delivers = (await scene.diary()).filter((line) => line.startsWith('deliver'))
    expect(delivers).toContain('deliver 1-500')
    expect(delivers).toContain('deliver 7-7')
    // Halving: two poisoned tasks in 500 and one in another 500 cost at most some 20 calls each.
    expect(delivers.length).toBeLessThan(60)
    expectDeadTold(ran)
  })

  test('are said in words as well', async () => {
    const scene = await sceneWith(byOutcome)
    const { code, stdout, stderr } = await owm(produce, { cwd: scene.folder })
    expect(stdout).toMatch(/1,250 locations read, 1,247 tasks delivered to .*, 3 dead/)
    expect(stderr).toContain('owm outbox inspect --state dead')
    expect(code).toBe(75)
  })

  test('are shown with their reason by outbox inspect', async () => {
    const scene = await sceneWith(byOutcome)
    await owm(produce, { cwd: scene.folder })
    const { stdout } = await owm(['outbox', 'inspect', '--state', 'dead'], { cwd: scene.folder })
    expect(stdout).toMatch(/3 dead/)
    for (const place of poison) expect(stdout).toContain(`${place} is unknown`)
  })

  test('are not offered again by themselves, and do not block the next slot', async () => {
    const scene = await sceneWith(byOutcome)
    await owm(produce, { cwd: scene.folder })
    await owm(['flush'], { cwd: scene.folder })
    expect(await scene.taken()).toEqual(rest(1_250))
    await owm(['produce', '--slot', '2026-11-23T11:00:00Z'], { cwd: scene.folder })
    expect(await scene.taken()).toEqual([...rest(1_250), ...rest(1_250)])
    expect((await scene.inspect()).totals).toMatchObject({ pending: 0, dead: 6 })
  })

  test('a failure in the middle of the splitting: nothing is lost, the dead are dead once', async () => {
    // The sink breaks down after it took a part of the split batch; at-least-once may repeat that part.
    const scene = await sceneWith(`async deliver({ tasks, firstSeq }) {
      ${isPoison}
      if (tasks.some(isPoison)) throw new RefusedError('unknown')
      if (firstSeq > 7 && !globalThis.broken) { globalThis.broken = true; throw new Error('the network went away') }
      return tasks.map(take)
    }`)
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    expect(ran.stderr).toContain('the network went away')
    expect(new Set(await scene.taken())).toEqual(new Set(rest(1_250)))
    expect((await scene.inspect('--state', 'dead')).tasks.map(({ task }) => `place ${task.location_id}`)).toEqual(
      poison,
    )
    expectDeadTold(ran)
  })

  test('every task of a run: all dead, none pending', async () => {
    const scene = await sceneWith('async deliver() { throw new RefusedError("nothing is good enough") }', { count: 20 })
    const { code, json } = await owmJson<Answer>(produce, { cwd: scene.folder })
    expect(json.outbox).toMatchObject({ persisted: 20, pending: 0, dead: 20 })
    expect(code).toBe(75)
  })
})

describe('sinks that misbehave', () => {
  /** All tasks are still pending; then the sink is repaired, and flush brings them. */
  async function expectSafe(
    scene: Scene,
    ran: Ran & { json: Answer },
    expected: { code: number; retries?: number; message: RegExp },
  ): Promise<void> {
    expect(ran.code, ran.stderr).toBe(expected.code)
    if (expected.retries !== undefined) expect(retriesIn(ran)).toBe(expected.retries)
    expect(ran.json.error?.message).toMatch(expected.message)
    expect(ran.json.error?.hint).toMatch(/\w+/)
    expect(ran.json.source.read).toBe(1_250)
    expect((await scene.inspect()).totals).toMatchObject({ pending: 1_250, dead: 0 })
    const repaired = await owmJson<Answer>(['flush', '--sink', 'jsonl', '--set', 'sink.path=./taken'], {
      cwd: scene.folder,
    })
    expect(repaired.code, repaired.stderr).toBe(0)
    expect(await scene.taken()).toEqual(places(1_250))
  }

  test.each([
    ['too few outcomes', 'tasks.slice(1).map(() => "delivered")', /contract: 500 tasks were given, 499 outcomes/],
    ['too many outcomes', '[...tasks, 1].map(() => "delivered")', /contract: 500 tasks were given, 501 outcomes/],
    ['no list of outcomes', 'undefined', /contract/],
    ['outcomes that do not exist', 'tasks.map(() => "sent")', /contract/],
  ])('gives back %s: 78, nothing counts as delivered', async (_, result, message) => {
    const scene = await sceneWith(`async deliver({ tasks }) { return ${result} }`)
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    await expectSafe(scene, ran, { code: 78, retries: 0, message })
    expect(await scene.diary()).toEqual(['open', 'close'])
  })

  test('throws while it is opened: 75', async () => {
    const scene = await sceneWith('async deliver() {}', { open: 'throw new Error("no room at the inn")' })
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    await expectSafe(scene, ran, { code: 75, message: /no room at the inn/ })
    expect(await scene.diary()).toContain('open')
  })

  test('throws a ConfigurationError while it is opened: 78', async () => {
    const scene = await sceneWith('async deliver() {}', {
      open: 'throw new ConfigurationError("no such door", { hint: "Knock." })',
    })
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    await expectSafe(scene, ran, { code: 78, retries: 0, message: /no such door/ })
    expect(ran.json.error?.hint).toBe('Knock.')
  })

  test('throws a ConfigurationError for a batch: 78 at once', async () => {
    const scene = await sceneWith(
      'async deliver() { throw new ConfigurationError("no such table", { hint: "Make it." }) }',
    )
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    await expectSafe(scene, ran, { code: 78, retries: 0, message: /no such table/ })
  })

  test('throws anything else: retried, then 75', async () => {
    const scene = await sceneWith('async deliver() { throw "just a string" }')
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder })
    await expectSafe(scene, ran, { code: 75, retries: 2, message: /just a string/ })
    expect(await scene.diary()).toEqual(['open', 'close'])
  })

  test.each([
    ['hangs in close', 'close: () => new Promise(() => undefined)'],
    [
      'hangs in close and keeps the process alive',
      'close() { setInterval(() => undefined, 1000); return new Promise(() => undefined) }',
    ],
    ['throws in close', 'async close() { throw new Error("stuck") }'],
  ])('%s: what was delivered counts, the process ends, a warning says why', async (_, close) => {
    const scene = await sceneWith(`async deliver({ tasks }) { return tasks.map(take) }, ${close}`)
    const ran = await owmJson<Answer>(produce, { cwd: scene.folder, timeout: 30_000 })
    expect(await scene.taken()).toEqual(places(1_250))
    expect({ code: ran.code, signal: ran.signal }, ran.stderr).toEqual({ code: 0, signal: null })
    expect(ran.json).toMatchObject({ outbox: { pending: 0 }, sink: { delivered: 1_250 } })
    expect(ran.stderr).toMatch(/could not be closed/)
    expect((await scene.inspect()).runs).toMatchObject([{ state: 'done', delivered: 1_250 }])
  })
})
