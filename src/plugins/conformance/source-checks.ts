/** What every source must do. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ZodType } from 'zod'
import { type Check, doctorCheck, mustClose, optionChecks, type SourceUnderTest, timed, withSource } from './check.js'
import { failureChecks } from './failure-checks.js'
import { choiceOf, inTemporaryFolder, runJob, runJobToItsEnd, someSlot, tasksOf } from './jobs.js'
import { nothingRead, readAll, readInto } from './reading.js'
import type { Job } from './runner.js'

export function sourceChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  const checks = [
    ...optionChecks(source),
    ...readingChecks(source),
    ...endingChecks(source),
    ...failureChecks(source),
    doctorCheck(source.plugin, (use) => withSource(source, use)),
    killCheck(source),
  ]
  return checks.map(timed)
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
          const rest = { ...nothingRead(), resumes: [{ after: 0, resume }] }
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
          await mustClose(bare)
          // The batch may come or not: it is no longer needed.
          void next.then(() => reading.return?.()).catch(() => undefined)
        }),
    },
  ]
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
        // A batch is stored; the next one isn't, nor is its checkpoint.
        const first = await runJob({ ...job, kill: { at: 'intake:persisted', time: 1 } })
        const second = await runJob({ ...job, kill: { at: 'intake:written', time: 2 } })
        if (source.count > 0) assert.equal(first, 'killed', 'nothing was ever stored')
        // If the second run completed, another `produce` would read the whole list again, and hide what it left out.
        const isOver = second !== 'killed' && second.errors.length === 0
        await runJobToItsEnd({ ...job, what: isOver ? 'flush' : 'produce', deliver: true, batchSize: 500 })
        const expected = new Set(await withSource(source, (open) => tasksOf(open, slot)))
        const tasks = (await readFile(join(folder, 'tasks.jsonl'), 'utf8').catch(() => '')).split('\n').slice(0, -1)
        assert.deepEqual(tasks.toSorted(), [...expected].toSorted())
      }),
  }
}
