/** What every source must do. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ZodType } from 'zod'
import { TransientError } from '../../errors/index.js'
import { isMalformed, type Location, type Malformed, type Source } from '../../plugin.js'
import {
  type Attempt,
  type Check,
  closed,
  optionChecks,
  type SourceUnderTest,
  soon,
  timed,
  withinSeconds,
  withSource,
} from './check.js'
import { choiceOf, inTemporaryFolder, runJob, runJobToItsEnd, someSlot, tasksOf } from './jobs.js'
import type { Job } from './runner.js'

export function sourceChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  const checks = [
    ...optionChecks(source),
    ...readingChecks(source),
    ...failureChecks(source),
    ...endingChecks(source),
    killCheck(source),
  ]
  return checks.map(timed)
}

/** What was read of a source. */
interface Given {
  keys: string[]
  resumes: { after: number; resume: string }[]
}

const keyOf = (location: Location | Malformed): string =>
  JSON.stringify(isMalformed(location) ? { rejected: location.value } : location)

/** Reads on where `given` ends, and adds to it: what came before a failure is there then. */
async function readInto(given: Given, open: Source, count: number): Promise<void> {
  let empty = 0
  for await (const batch of open.read(given.resumes.at(-1)?.resume)) {
    batch.locations.forEach((location, index) => {
      given.keys.push(keyOf(location))
      assert.ok(batch.position(index).length > 0, '`position` must name the place of each record')
    })
    given.resumes.push({ after: given.keys.length, resume: batch.resume })
    assert.ok(given.keys.length <= count, `it gave more than its ${count} locations: does it ever end?`)
    empty = batch.locations.length === 0 ? empty + 1 : 0
    assert.ok(empty < 1_000, 'it gave 1,000 empty batches in a row: does it ever end?')
  }
}

async function readAll<Options extends ZodType>(source: SourceUnderTest<Options>, attempt?: Attempt): Promise<Given> {
  const given: Given = { keys: [], resumes: [] }
  await withSource(source, (open) => readInto(given, open, source.count), { attempt })
  return given
}

function readingChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  const { count } = source
  return [
    {
      name: 'gives all of its locations, the same ones in the same order each time',
      async run() {
        const [first, second] = [await readAll(source), await readAll(source)]
        assert.equal(first.keys.length, count)
        assert.deepEqual(first.keys, second.keys)
      },
    },
    {
      name: 'gives exactly the rest from each of its checkpoints',
      async run() {
        const { keys, resumes } = await readAll(source)
        for (const { after, resume } of resumes) {
          const rest: Given = { keys: [], resumes: [{ after: 0, resume }] }
          await withSource(source, (open) => readInto(rest, open, count))
          assert.deepEqual(rest.keys, keys.slice(after), `after ${after} locations`)
        }
      },
    },
    {
      name: 'gives the same to two readers at once',
      async run() {
        const [first, second] = await Promise.all([readAll(source), readAll(source)])
        assert.deepEqual(first.keys, second.keys)
        assert.equal(first.keys.length, count)
      },
    },
    {
      name: 'says how many there are, if it says so, correctly',
      run: () =>
        withSource(source, async (open) => {
          if (open.total !== undefined) assert.equal(open.total, count)
        }),
    },
  ]
}

function failureChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  return [
    {
      name: 'is not changed by a call that is made twice',
      async run() {
        const twice: Attempt = async (operation) => {
          await operation()
          return operation()
        }
        assert.deepEqual((await readAll(source, twice)).keys, (await readAll(source)).keys)
      },
    },
    {
      name: 'throws when a call fails for good, and goes on from there next time',
      async run() {
        let calls = 0
        const counting: Attempt = (operation) => {
          calls++
          return operation()
        }
        const { keys } = await readAll(source, counting)
        if (calls === 0) return // it makes none under `attempt`
        for (const failing of new Set([1, Math.ceil(calls / 2), calls])) await assertResumes(source, failing, keys)
      },
    },
  ]
}

/** Lets one call fail for good: the source must throw, and give the rest from its last checkpoint. */
async function assertResumes<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  failing: number,
  keys: readonly string[],
): Promise<void> {
  const { count } = source
  let call = 0
  const fails: Attempt = async (operation) => {
    if (++call === failing) throw new TransientError('this call fails, by the conformance suite')
    return operation()
  }
  const given: Given = { keys: [], resumes: [] }
  const thrown = await withSource(source, (open) => readInto(given, open, count), { attempt: fails }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof assert.AssertionError) throw thrown
  if (thrown === undefined) {
    const read = `${given.keys.length} of ${count} locations`
    const message = `call ${failing} failed, and it ended as if it were complete after ${read}`
    return assert.equal(given.keys.length, count, message)
  }
  given.keys.length = given.resumes.at(-1)?.after ?? 0
  await withSource(source, (open) => readInto(given, open, count))
  assert.deepEqual(given.keys, keys, `after call ${failing} had failed`)
}

function endingChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  return [
    {
      name: 'can be left in the middle, and closed before anything was read',
      async run() {
        await withSource(source, async () => undefined)
        await withSource(source, async (open) => {
          for await (const batch of open.read(undefined)) {
            assert.ok(batch)
            break
          }
        })
      },
    },
    {
      name: 'can be closed while a read is under way',
      run: () =>
        withSource(source, async (_, bare) => {
          const reading = bare.read(undefined)[Symbol.asyncIterator]()
          const next = reading.next().catch(() => undefined)
          await closed(bare)
          // Whether it still comes is the source's business: nobody waits for it any more.
          void next.then(() => reading.return?.()).catch(() => undefined)
        }),
    },
    {
      name: 'ends soon when it is aborted, between batches or while a read is under way',
      async run() {
        for (const abortsAfter of [0, 1])
          await withinSeconds(soon, assertEnds(source, abortsAfter), 'it went on after it was aborted')
      },
    },
  ]
}

/** Aborts while the batch after the first `abortsAfter` ones is asked for: the source must end or throw. */
async function assertEnds<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  abortsAfter: number,
): Promise<void> {
  const abort = new AbortController()
  const use = async (_: Source, bare: Source): Promise<void> => {
    const reading = bare.read(undefined)[Symbol.asyncIterator]()
    try {
      for (let batches = 0; ; batches++) {
        const next = reading.next()
        if (batches === abortsAfter) abort.abort()
        if ((await next).done) break
        assert.ok(batches < source.count + 1_000, 'does it ever end?')
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      assert.ok(abort.signal.aborted, `it threw before it was aborted: ${error}`)
    }
  }
  await withSource(source, use, { signal: abort.signal })
}

function killCheck<Options extends ZodType>(source: SourceUnderTest<Options>): Check {
  return {
    name: 'loses nothing and repeats nothing when its process is killed between batches',
    run: () =>
      inTemporaryFolder(async (folder) => {
        const slot = someSlot()
        const job: Job = {
          what: 'produce',
          outbox: join(folder, 'outbox.db'),
          slot,
          source: choiceOf(source, 'source'),
          sink: { use: 'jsonl', options: { path: join(folder, 'tasks.jsonl') }, baseDir: folder },
          deliver: false,
          // Every page of the source is written as it comes.
          batchSize: 1,
        }
        // A batch is stored; the next one is not, nor its checkpoint.
        const killed = [
          await runJob({ ...job, kill: { at: 'intake:persisted', time: 1 } }),
          await runJob({ ...job, kill: { at: 'intake:written', time: 2 } }),
        ]
        if (source.count > 0) assert.equal(killed[0], 'killed', 'nothing was ever stored')
        await runJobToItsEnd({ ...job, deliver: true, batchSize: 500 })
        const expected = new Set(await withSource(source, (open) => tasksOf(open, slot)))
        const tasks = (await readFile(join(folder, 'tasks.jsonl'), 'utf8').catch(() => '')).split('\n').slice(0, -1)
        assert.deepEqual(tasks.toSorted(), [...expected].toSorted())
      }),
  }
}
