/**
 * The conformance suites that every source and sink must pass, the built-in
 * ones included: `import {sourceChecks, sinkChecks} from 'owm/testing'`. They
 * belong to no test runner: call each check's `run` in a test of its name.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { output, ZodType } from 'zod'
import { type Location, Malformed, type PluginContext, type Sink, type SinkPlugin, type Source, type SourcePlugin, type TaskBatch } from './plugin.js'
import { taskIdOf, taskMaker } from './task.js'

/** One rule of a contract. `run` rejects with an AssertionError where it's broken. */
export interface Check {
  readonly name: string
  run(): Promise<void>
}

export interface SourceUnderTest<Options extends ZodType> {
  plugin: SourcePlugin<Options>
  /** As they would stand in a configuration, beside `use`. At least three batches make the best test. */
  options: Record<string, unknown>
  /** How many locations these options give. */
  count: number
  baseDir?: string
}

export interface SinkUnderTest<Options extends ZodType> {
  plugin: SinkPlugin<Options>
  options: Record<string, unknown>
  baseDir?: string
  /** All tasks that have arrived so far, as JSON text, in order. */
  arrived(): Promise<string[]>
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

function context(baseDir: string, signal: AbortSignal): PluginContext {
  return { baseDir, signal, log: silent, attempt: (operation) => operation() }
}

function optionsOf<Options extends ZodType>(plugin: { options: Options }, options: Record<string, unknown>): output<Options> {
  return plugin.options.parse(options)
}

/** What every source must do. */
export function sourceChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  const { plugin, options, count, baseDir = process.cwd() } = source

  async function opened<T>(use: (source: Source) => Promise<T>, signal = new AbortController().signal): Promise<T> {
    const open = await plugin.open(optionsOf(plugin, options), context(baseDir, signal))
    try {
      return await use(open)
    } finally {
      await open.close?.()
    }
  }

  const all = (resume?: string): Promise<{ keys: string[]; resumes: { after: number; resume: string }[] }> =>
    opened(async (open) => {
      const keys: string[] = []
      const resumes: { after: number; resume: string }[] = []
      for await (const batch of open.read(resume)) {
        batch.locations.forEach((location, index) => {
          keys.push(keyOf(location))
          assert.ok(batch.position(index).length > 0, 'position() must name the place of each record')
        })
        assert.equal(typeof batch.resume, 'string', 'resume must be text')
        resumes.push({ after: keys.length, resume: batch.resume })
      }
      return { keys, resumes }
    })

  return [
    {
      name: 'refuses an option that it does not know',
      async run() {
        assert.equal(plugin.options.safeParse({ ...options, thisOptionDoesNotExist: 1 }).success, false, 'its schema must be strict')
      },
    },
    {
      name: 'gives all of its locations, the same ones in the same order each time',
      async run() {
        const [first, second] = [await all(), await all()]
        assert.equal(first.keys.length, count)
        assert.deepEqual(first.keys, second.keys)
      },
    },
    {
      name: 'gives exactly the rest from each of its resume points',
      async run() {
        const { keys, resumes } = await all()
        for (const { after, resume } of resumes) assert.deepEqual((await all(resume)).keys, keys.slice(after), `after ${after} locations`)
      },
    },
    {
      name: 'says how many there are, if it says so, correctly',
      run: () =>
        opened(async (open) => {
          if (open.total !== undefined) assert.equal(open.total, count)
        }),
    },
    {
      name: 'can be left in the middle, and closed before anything was read',
      async run() {
        await opened(async () => undefined)
        await opened(async (open) => {
          for await (const batch of open.read(undefined)) {
            assert.ok(batch)
            break
          }
        })
      },
    },
    {
      name: 'ends soon when it is aborted',
      async run() {
        const abort = new AbortController()
        await withinSeconds(
          10,
          opened(async (open) => {
            try {
              for await (const _ of open.read(undefined)) abort.abort()
            } catch (error) {
              assert.ok(abort.signal.aborted, `it threw before it was aborted: ${error}`)
            }
          }, abort.signal),
        )
      },
    },
  ]
}

/** What every sink must do; more of those that say `exactly-once`. */
export function sinkChecks<Options extends ZodType>(sink: SinkUnderTest<Options>): Check[] {
  const { plugin, options, baseDir = process.cwd(), arrived } = sink
  const outboxId = randomUUID()
  const runId = randomUUID()
  const make = taskMaker(`2026-01-01T00:00:00Z ${outboxId}`)
  let lastSeq = 0

  async function opened<T>(use: (sink: Sink) => Promise<T>): Promise<T> {
    const open = await plugin.open(optionsOf(plugin, options), context(baseDir, new AbortController().signal))
    try {
      await open.position?.(outboxId)
      return await use(open)
    } finally {
      await open.close?.()
    }
  }

  function next(count: number): TaskBatch {
    const firstSeq = lastSeq + 1
    lastSeq += count
    const tasks = Array.from({ length: count }, (_, index) => {
      const made = make({ latitude: 1, longitude: 2, city: `Łódź "${firstSeq + index}"\n`, state: '' })
      assert.ok('payload' in made)
      return made.payload
    })
    return { outboxId, runId, firstSeq, tasks }
  }

  /** What arrived of a batch: other tests may write to the same place. */
  async function copies(batch: TaskBatch): Promise<string[]> {
    const wanted = new Set(batch.tasks)
    return (await arrived()).filter((task) => wanted.has(task))
  }

  const checks: Check[] = [
    {
      name: 'refuses an option that it does not know',
      async run() {
        assert.equal(plugin.options.safeParse({ ...options, thisOptionDoesNotExist: 1 }).success, false, 'its schema must be strict')
      },
    },
    {
      name: 'takes batches in order, byte by byte, and says what became of each task',
      run: () =>
        opened(async (open) => {
          const [first, second] = [next(3), next(500)]
          assert.deepEqual(await open.deliver(first), ['delivered', 'delivered', 'delivered'])
          assert.equal((await open.deliver(second)).length, 500)
          assert.deepEqual(await copies({ ...first, tasks: [...first.tasks, ...second.tasks] }), [...first.tasks, ...second.tasks])
        }),
    },
    {
      name: 'keeps what it took when it is opened again',
      async run() {
        const batch = next(2)
        await opened((open) => open.deliver(batch))
        await opened(async () => undefined)
        assert.deepEqual(await copies(batch), [...batch.tasks])
      },
    },
    {
      name: 'can be closed before anything was delivered',
      run: () => opened(async () => undefined),
    },
  ]
  const exactlyOnce: Check[] = [
    {
      name: 'adds nothing when a batch comes again, from the same or from another process',
      async run() {
        const batch = next(4)
        await opened(async (open) => {
          await open.deliver(batch)
          assert.deepEqual(await open.deliver(batch), Array(4).fill('duplicate'))
        })
        await opened(async (open) => assert.deepEqual(await open.deliver(batch), Array(4).fill('duplicate')))
        assert.deepEqual(await copies(batch), [...batch.tasks])
      },
    },
    {
      name: 'adds only what is missing when a part of a batch was taken before',
      async run() {
        const whole = next(5)
        await opened((open) => open.deliver({ ...whole, tasks: whole.tasks.slice(0, 2) }))
        await opened(async (open) => assert.deepEqual(await open.deliver(whole), ['duplicate', 'duplicate', 'delivered', 'delivered', 'delivered']))
        assert.deepEqual(await copies(whole), [...whole.tasks])
      },
    },
    {
      name: 'remembers the last task of each outbox',
      async run() {
        const batch = next(2)
        await opened(async (open) => {
          await open.deliver(batch)
          const position = await open.position?.(outboxId)
          assert.deepEqual([position?.seq, position?.taskId], [batch.firstSeq + 1, taskIdOf(batch.tasks[1] ?? '')])
          assert.ok(position?.runId === undefined || position.runId === runId)
          assert.equal(await open.position?.(randomUUID()), undefined)
        })
      },
    },
  ]
  return [
    ...checks,
    ...exactlyOnce.map(({ name, run }) => ({
      name: `if exactly-once: ${name}`,
      run: async () => {
        const guarantee = await opened(async (open) => open.guarantee)
        if (guarantee === 'exactly-once') await run()
      },
    })),
  ]
}

const keyOf = (location: Location | Malformed): string => JSON.stringify(location instanceof Malformed ? { malformed: location.value } : location)

async function withinSeconds(seconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `not done after ${seconds} s` })), seconds * 1000)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
