/** What the conformance suite finds with the help of an author who says how what a plugin talks to can fail. */
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineSink, defineSource, type Location, Malformed, type Sink, type Source } from '../../src/plugin.js'
import { type Fault, sinkChecks, sourceChecks } from '../../src/plugins/conformance/index.js'
import { temporaryFolder } from '../support/cli.js'
import { gone } from '../support/gone.js'

const places = Array.from({ length: 6 }, (_, index) => ({ city: `place ${index}`, latitude: index, longitude: 1 }))
const about = { name: 'mine', description: 'mine', options: z.strictObject({ path: z.string().describe('a file') }) }

/** One character of the third line is lost. */
const broken = (path: string): Fault => ({
  name: 'a row is broken',
  async begin() {
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace('{"city":"place 2"', '{"city":"place 2'))
    return () => writeFile(path, text)
  },
})

type Page = (first: number) => Promise<(Location | Malformed)[]>

/** Pages of two lines of a file, each read when it is asked for. */
const pageOf =
  (path: string, parse: (line: string) => Location | Malformed = (line) => JSON.parse(line)): Page =>
  async (first) => {
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    return lines.slice(first, first + 2).map(parse)
  }

const reading = (page: Page): Source => ({
  async *read(resume) {
    for (let first = Number(resume ?? 0); first < places.length; first += 2)
      yield { locations: await page(first), resume: String(first + 2), position: (index) => `line ${first + index}` }
  },
})

/** Runs the check of a fault. */
async function checkSource(fault: (path: string) => Fault, open: (path: string) => Source | Promise<Source>) {
  const path = join(await temporaryFolder(), 'places.ndjson')
  await writeFile(path, places.map((place) => `${JSON.stringify(place)}\n`).join(''))
  const plugin = defineSource({ ...about, open: ({ path }) => open(path) })
  const one = fault(path)
  const checks = sourceChecks({ plugin, options: { path }, count: places.length, faults: [one] })
  await checks.find(({ name }) => name.endsWith(`happens: ${one.name}`))?.run()
}

function orMalformed(line: string): Location | Malformed {
  try {
    return JSON.parse(line)
  } catch {
    return new Malformed(line, 'no JSON')
  }
}

describe('a source', () => {
  test.each<[string, (path: string) => Fault, (path: string) => Source | Promise<Source>]>([
    ['throws', gone, (path) => reading(pageOf(path))],
    ['throws for a row', broken, (path) => reading(pageOf(path))],
    ['rejects a row in its place', broken, (path) => reading(pageOf(path, orMalformed))],
    [
      'has read everything before',
      gone,
      async (path) => {
        const all = await Promise.all([0, 2, 4].map(pageOf(path)))
        return reading(async (first) => all[first / 2] ?? [])
      },
    ],
  ])('that %s passes', async (_, fault, open) => {
    await checkSource(fault, open)
  })

  test.each<[string, (path: string) => Fault, (path: string) => Source | Promise<Source>, RegExp]>([
    [
      'ends where a page fails',
      gone,
      (path) => ({
        async *read(resume) {
          try {
            yield* reading(pageOf(path)).read(resume)
          } catch {}
        },
      }),
      /it is gone from the beginning, and it ended as if it were complete after 0 of 6 locations/,
    ],
    [
      'takes a page that fails for an empty one',
      gone,
      (path) => reading((first) => pageOf(path)(first).catch(() => [])),
      /ended as if it were complete after 0 of 6/,
    ],
    [
      'swallows in the middle only',
      gone,
      (path) => reading((first) => pageOf(path)(first).catch((error) => (first > 0 ? [] : Promise.reject(error)))),
      /it is gone after 1 batches, and it ended as if it were complete after 2 of 6/,
    ],
    [
      'swallows when it is opened',
      gone,
      async (path) => {
        const lines = await readFile(path, 'utf8').catch(() => '')
        const all = lines === '' ? [] : places
        return reading(async (first) => all.slice(first, first + 2))
      },
      /ended as if it were complete after 0 of 6/,
    ],
    [
      'drops a row',
      broken,
      (path) =>
        reading(async (first) => (await pageOf(path, orMalformed)(first)).filter((row) => !(row instanceof Malformed))),
      /a row is broken from the beginning, and it ended as if it were complete after 5 of 6/,
    ],
    [
      'makes something up',
      broken,
      (path) =>
        reading(async (first) =>
          (await pageOf(path, orMalformed)(first)).map((row) => (row instanceof Malformed ? { city: '?' } : row)),
        ),
      /it gave another location 3/,
    ],
    [
      'has not been made to fail',
      () => ({ name: 'nothing', begin: () => () => undefined }),
      (path) => reading(pageOf(path)),
      /does the fault begin\?/,
    ],
    [
      'can not be made to fail',
      () => ({
        name: 'nothing',
        begin: () => {
          throw new Error('no docker')
        },
      }),
      (path) => reading(pageOf(path)),
      /"nothing" can't begin: Error: no docker/,
    ],
    [
      'is not repaired',
      () => ({ name: 'nothing', begin: () => JSON.parse('1') }),
      (path) => reading(pageOf(path)),
      /must give a function that ends it/,
    ],
  ])('that %s does not', async (_, fault, open, message) => {
    await expect(checkSource(fault, open)).rejects.toThrow(message)
  })

  /** The check of calls under `attempt` needs no author. */
  async function checkCalls(read: (attempt: <T>(call: () => Promise<T>) => Promise<T>) => Page): Promise<void> {
    const plugin = defineSource({
      ...about,
      options: z.strictObject({}),
      open: (_, { attempt }) => reading(read(attempt)),
    })
    const checks = sourceChecks({ plugin, options: {}, count: places.length })
    await checks.find(({ name }) => name.includes('fails for good'))?.run()
  }
  const page: Page = async (first) => places.slice(first, first + 2)

  test.each<[string, (error: unknown, first: number) => boolean, RegExp]>([
    ['the second call', (_, first) => first === 2, /after call 2 failed/],
    ['the last call', (_, first) => first === 4, /call 3 failed, and it ended as if it were complete after 4 of 6/],
    ['owm does not know', (error) => String(error).startsWith('Error'), /call 2 failed, and it ended as if/],
  ])('that swallows an error of %s does not pass', async (_, swallows, message) => {
    const check = checkCalls(
      (attempt) => (first) =>
        attempt(() => page(first)).catch((error: unknown) => (swallows(error, first) ? [] : Promise.reject(error))),
    )
    await expect(check).rejects.toThrow(message)
  })

  test('that ends quietly when it is aborted does not pass', async () => {
    const open = (_: object, { signal }: { signal: AbortSignal }): Source => ({
      async *read(resume) {
        for await (const batch of reading(page).read(resume)) {
          if (signal.aborted) return
          yield batch
        }
      },
    })
    const plugin = defineSource({ ...about, options: z.strictObject({}), open })
    const check = sourceChecks({ plugin, options: {}, count: places.length }).find(({ name }) => /aborted/.test(name))
    await expect(check?.run()).rejects.toThrow(/aborted, and ended as if it were complete after 0 of 6/)
  })
})

describe('a sink', () => {
  type Deliver = Sink['deliver']

  /** Appends to a file, or to nothing where it is gone. */
  async function checkSink(change: (append: Deliver) => Deliver, fault = gone): Promise<void> {
    const path = join(await temporaryFolder(), 'tasks.ndjson')
    await writeFile(path, '')
    const plugin = defineSink({
      ...about,
      open: ({ path }) => ({
        guarantee: 'at-least-once',
        deliver: change(async ({ tasks }) => {
          await appendFile(path, tasks.map((task) => `${task}\n`).join(''))
          return tasks.map(() => 'delivered')
        }),
      }),
    })
    const one = fault(path)
    const arrived = async (): Promise<string[]> => (await readFile(path, 'utf8')).split('\n').slice(0, -1)
    const checks = sinkChecks({ plugin, options: { path }, arrived, faults: [one] })
    await checks.find(({ name }) => name.endsWith(`happens: ${one.name}`))?.run()
  }

  test('that throws passes', async () => {
    await checkSink((append) => append)
  })

  test.each<[string, (append: Deliver) => Deliver, RegExp]>([
    [
      'says delivered of what it has lost',
      (append) => (batch) => append(batch).catch(() => batch.tasks.map(() => 'delivered')),
      /"it is gone", and it said "delivered" of a task that isn't there/,
    ],
    [
      'refuses for good what it could take later',
      (append) => (batch) => append(batch).catch(() => batch.tasks.map(() => ({ refused: 'no file' }))),
      /it said \{"refused":"no file"\} of a task that it may take later: throw/,
    ],
    [
      'loses what comes again',
      (append) => {
        const seen = new Set<number>()
        return async (batch) => {
          if (seen.has(batch.firstSeq)) return batch.tasks.map(() => 'duplicate')
          seen.add(batch.firstSeq)
          return append(batch)
        }
      },
      /tasks are missing/,
    ],
  ])('that %s does not', async (_, change, message) => {
    // One memory for all that is opened.
    let once: Deliver | undefined
    await expect(checkSink((append) => (once ??= change(append)))).rejects.toThrow(message)
  })

  test('that has not been made to fail does not', async () => {
    const never = (): Fault => ({ name: 'nothing', begin: () => () => undefined })
    await expect(checkSink((append) => append, never)).rejects.toThrow(/does the fault begin\?/)
  })
})
