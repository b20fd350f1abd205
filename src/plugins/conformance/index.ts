/**
 * The conformance suites that every source and sink must pass, the built-in
 * ones included: `import {sourceChecks, sinkChecks} from 'owm/testing'`. They
 * belong to no test runner: call each check's `run` in a test of its name.
 *
 * Most checks open the plugin in this process. Those that kill start processes
 * of their own, with the real pipeline and an outbox in a temporary folder.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { output, ZodType } from 'zod'
import { TransientError } from '../../errors/index.js'
import {
  type Location,
  Malformed,
  type PluginContext,
  type Sink,
  type SinkPlugin,
  type Source,
  type SourcePlugin,
  type TaskBatch,
} from '../../plugin.js'
import { sinks } from '../../sinks/index.js'
import { sources } from '../../sources/index.js'
import { Batch } from '../../tasks/batch.js'
import { taskMaker } from '../../tasks/encode.js'
import { taskIdOf } from '../../tasks/id.js'
import { optionRows } from '../describe.js'
import { builtFile } from '../installation.js'
import { loadSource } from '../load.js'
import { superviseSink, superviseSource } from '../supervise.js'
import type { Job, PluginChoice, Report } from './runner.js'

/** One rule of a contract. `run` rejects with an AssertionError where it's broken. */
export interface Check {
  readonly name: string
  run(): Promise<void>
}

interface UnderTest {
  /** As they would stand in a configuration, beside `use`; for the checks that kill they must survive JSON. */
  options: Record<string, unknown>
  /** Where relative paths in the options start; the working directory, if not given. */
  baseDir?: string
  /** URL or path of the plugin's module, `import.meta.resolve('./index.js')`: the checks that kill load it in another process. */
  module?: string
}

export interface SourceUnderTest<Options extends ZodType> extends UnderTest {
  plugin: SourcePlugin<Options>
  /** How many locations these options give, at least three batches of them for the best test. */
  count: number
}

export interface SinkUnderTest<Options extends ZodType> extends UnderTest {
  plugin: SinkPlugin<Options>
  /** All tasks that have arrived so far, as JSON text, in order. */
  arrived(): Promise<string[]>
}

/** Seconds for one check; a plugin that hangs fails it. */
const checkSeconds = 50
const answerMs = 20_000
/** Seconds that owm waits for a plugin to close, or to end once it is interrupted. */
const soon = 5

const silent = { debug() {}, info() {}, warn() {}, error() {} }

type Attempt = PluginContext['attempt']
const once: Attempt = (operation) => operation()

function optionsOf<Options extends ZodType>(
  plugin: { options: Options },
  options: Record<string, unknown>,
): output<Options> {
  return plugin.options.parse(options)
}

/** What every source must do. */
export function sourceChecks<Options extends ZodType>(source: SourceUnderTest<Options>): Check[] {
  const { plugin, options, count, baseDir = process.cwd() } = source

  async function opened<T>(
    use: (source: Source, bare: Source) => Promise<T>,
    { attempt = once, signal = new AbortController().signal }: { attempt?: Attempt; signal?: AbortSignal } = {},
  ): Promise<T> {
    const terms = { name: plugin.name, timeoutMs: answerMs, signal, log: silent }
    const bare = await plugin.open(optionsOf(plugin, options), { baseDir, signal, log: silent, attempt })
    try {
      return await use(await superviseSource(terms, () => bare), bare)
    } finally {
      await closed(bare)
    }
  }

  interface Given {
    keys: string[]
    resumes: { after: number; resume: string }[]
  }

  /** Reads on where `given` ends, and adds to it: what came before a failure is there then. */
  async function readInto(given: Given, open: Source): Promise<void> {
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

  async function all(how: { attempt?: Attempt } = {}): Promise<Given> {
    const given: Given = { keys: [], resumes: [] }
    await opened((open) => readInto(given, open), how)
    return given
  }

  const checks: Check[] = [
    ...optionChecks(source),
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
        for (const { after, resume } of resumes) {
          const rest: Given = { keys: [], resumes: [{ after: 0, resume }] }
          await opened((open) => readInto(rest, open))
          assert.deepEqual(rest.keys, keys.slice(after), `after ${after} locations`)
        }
      },
    },
    {
      name: 'gives the same to two readers at once',
      async run() {
        const [first, second] = await Promise.all([all(), all()])
        assert.deepEqual(first.keys, second.keys)
        assert.equal(first.keys.length, count)
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
      name: 'is not changed by a call that is made twice',
      async run() {
        const twice: Attempt = async (operation) => {
          await operation()
          return operation()
        }
        assert.deepEqual((await all({ attempt: twice })).keys, (await all()).keys)
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
        const { keys } = await all({ attempt: counting })
        for (const failing of new Set([1, Math.ceil(calls / 2), calls])) {
          if (failing === 0) continue // it makes no calls under `attempt`
          let call = 0
          const failure = new TransientError('this call fails, by the conformance suite')
          const fails: Attempt = async (operation) => {
            if (++call === failing) throw failure
            return operation()
          }
          const given: Given = { keys: [], resumes: [] }
          const thrown = await opened((open) => readInto(given, open), { attempt: fails }).then(
            () => undefined,
            (error: unknown) => error,
          )
          if (thrown instanceof assert.AssertionError) throw thrown
          if (thrown === undefined)
            assert.equal(
              given.keys.length,
              count,
              `call ${failing} failed, and it ended as if it were complete after ${given.keys.length} of ${count} locations`,
            )
          else {
            given.keys.length = given.resumes.at(-1)?.after ?? 0
            await opened((open) => readInto(given, open))
            assert.deepEqual(given.keys, keys, `after call ${failing} had failed`)
          }
        }
      },
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
      name: 'can be closed while a read is under way',
      run: () =>
        opened(async (_, bare) => {
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
        for (const abortsAfter of [0, 1]) {
          const abort = new AbortController()
          await withinSeconds(
            soon,
            opened(
              async (_, bare) => {
                let batches = 0
                const reading = bare.read(undefined)[Symbol.asyncIterator]()
                try {
                  for (;;) {
                    const next = reading.next()
                    if (batches++ === abortsAfter) abort.abort()
                    if ((await next).done) break
                    assert.ok(batches < count + 1_000, 'does it ever end?')
                  }
                } catch (error) {
                  if (error instanceof assert.AssertionError) throw error
                  assert.ok(abort.signal.aborted, `it threw before it was aborted: ${error}`)
                }
              },
              { signal: abort.signal },
            ),
            'it went on after it was aborted',
          )
        }
      },
    },
    {
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
            handOver: false,
            // Every page of the source is written as it comes.
            batchSize: 1,
          }
          // A batch is stored; the next one is not, nor the resume point with it.
          const wasKilled = [
            await runJob({ ...job, kill: { at: 'intake:persisted', time: 1 } }),
            await runJob({ ...job, kill: { at: 'intake:written', time: 2 } }),
          ]
          if (count > 0) assert.equal(wasKilled[0], 'killed', 'nothing was ever stored')
          const report = await runJob({ ...job, handOver: true, batchSize: 500 })
          assert.deepEqual(report === 'killed' ? report : report.errors, [])
          const make = taskMaker(slot)
          const expected = new Set<string>()
          await opened(async (open) => {
            for await (const { locations } of open.read(undefined))
              for (const location of locations) {
                const made = location instanceof Malformed ? location : make(location)
                if (typeof made === 'string') expected.add(made)
              }
          })
          const tasks = (await readFile(join(folder, 'tasks.jsonl'), 'utf8').catch(() => '')).split('\n').slice(0, -1)
          assert.deepEqual(tasks.toSorted(), [...expected].toSorted())
        }),
    },
  ]
  return checks.map(timed)
}

/** What every sink must do; more of those that say `exactly-once`. */
export function sinkChecks<Options extends ZodType>(sink: SinkUnderTest<Options>): Check[] {
  const { plugin, options, baseDir = process.cwd(), arrived } = sink
  const outboxId = randomUUID()
  const runId = randomUUID()
  const make = taskMaker(`2026-01-01T00:00:00Z ${outboxId}`)
  let lastSeq = 0

  async function opened<T>(use: (sink: Sink) => Promise<T>, signal = new AbortController().signal): Promise<T> {
    const terms = { name: plugin.name, timeoutMs: answerMs, signal, log: silent }
    const bare = await plugin.open(optionsOf(plugin, options), { baseDir, signal, log: silent, attempt: once })
    try {
      const open = await superviseSink(terms, () => bare)
      await open.position?.(outboxId)
      return await use(open)
    } finally {
      await closed(bare)
    }
  }

  function next(count: number): TaskBatch {
    const firstSeq = lastSeq + 1
    lastSeq += count
    const tasks = Array.from({ length: count }, (_, index) => {
      const made = make({ latitude: 1, longitude: 2, city: `Łódź "${firstSeq + index}"\n`, state: '' })
      assert.ok(typeof made === 'string')
      return made
    })
    return Batch.of(tasks, { outboxId, runId, firstSeq })
  }

  /** What arrived of these tasks: other tests may write to the same place. */
  async function copies(tasks: readonly string[]): Promise<string[]> {
    const wanted = new Set(tasks)
    return (await arrived()).filter((task) => wanted.has(task))
  }

  async function guarantee(): Promise<Sink['guarantee']> {
    return opened(async (open) => open.guarantee)
  }

  /** Each task is there; only once where the sink says so. */
  async function assertArrived(tasks: readonly string[]): Promise<void> {
    const found = await copies(tasks)
    const missing = tasks.filter((task) => !found.includes(task))
    assert.deepEqual(missing, [], `${missing.length} of ${tasks.length} tasks are missing`)
    if ((await guarantee()) === 'exactly-once')
      assert.equal(found.length, tasks.length, 'a task is there more than once')
  }

  const checks: Check[] = [
    ...optionChecks(sink),
    {
      name: 'takes batches in order, byte by byte, and says what became of each task',
      run: () =>
        opened(async (open) => {
          const [first, second] = [next(3), next(500)]
          assert.deepEqual(await open.deliver(first), ['delivered', 'delivered', 'delivered'])
          assert.equal((await open.deliver(second)).length, 500)
          const tasks = [...first.tasks, ...second.tasks]
          assert.deepEqual(await copies(tasks), tasks)
        }),
    },
    {
      name: 'keeps what it took when it is opened again',
      async run() {
        const batch = next(2)
        await opened((open) => open.deliver(batch))
        await opened(async () => undefined)
        assert.deepEqual(await copies(batch.tasks), [...batch.tasks])
      },
    },
    {
      name: 'loses nothing when a batch comes again, whole or in parts',
      async run() {
        const batch = next(6)
        const second = batch.slice(3, 6)
        await opened((open) => open.deliver(batch))
        await opened(async (open) => {
          await open.deliver(batch.slice(0, 3))
          await open.deliver(second)
        })
        await assertArrived(batch.tasks)
      },
    },
    {
      name: 'can be closed before anything was delivered',
      run: () => opened(async () => undefined),
    },
    {
      name: 'ends soon when it is aborted, and the batch can come again',
      async run() {
        const batch = next(100)
        const abort = new AbortController()
        const interrupted = opened(async (open) => {
          const answer = open.deliver(batch)
          abort.abort()
          await answer
        }, abort.signal)
        await withinSeconds(
          soon,
          interrupted.catch(() => undefined),
          'it went on after it was aborted',
        )
        await opened((open) => open.deliver(batch))
        await assertArrived(batch.tasks)
      },
    },
    {
      name: 'if it takes two batches at once: in order, and never the second without the first, also where it is interrupted',
      async run() {
        if (!(await opened(async ({ takesTwo }) => takesTwo))) return
        // Not at all, at once, and when they are further on their way.
        for (const abortsAfter of [undefined, 0, 1, 2, 4, 8]) {
          const batches = [next(300), next(1)]
          const tasks = batches.flatMap((batch) => batch.tasks)
          const abort = new AbortController()
          await opened(async (open) => {
            const answers = Promise.allSettled(batches.map((batch) => open.deliver(batch)))
            for (let turn = 0; turn < (abortsAfter ?? 0); turn++) await nextTurn()
            if (abortsAfter !== undefined) abort.abort()
            for (const answer of await answers)
              if (answer.status === 'rejected' && abortsAfter === undefined) throw answer.reason
          }, abort.signal)
          const found = await copies(tasks)
          assert.deepEqual(
            found,
            tasks.slice(0, abortsAfter === undefined ? tasks.length : found.length),
            'what arrived is not the beginning of both batches',
          )
          await opened(async (open) => {
            for (const batch of batches) await open.deliver(batch)
          })
          await assertArrived(tasks)
          assert.deepEqual([...new Set(await copies(tasks))], tasks)
        }
      },
    },
    {
      name: 'gets each task when the process that hands over is killed between batches',
      run: () =>
        inTemporaryFolder(async (folder) => {
          const [slot, count] = [someSlot(), 20]
          const job: Job = {
            what: 'produce',
            outbox: join(folder, 'outbox.db'),
            slot,
            source: { use: 'simulated-db', options: { count }, baseDir: folder },
            sink: choiceOf(sink, 'sink'),
            handOver: true,
            batchSize: 4,
          }
          // Once with a batch that was taken and not acknowledged, once before one is sent.
          const killed = [
            await runJob({ ...job, kill: { at: 'batch:answered', time: 2 } }),
            await runJob({ ...job, what: 'flush', kill: { at: 'batch:sent', time: 2 } }),
          ]
          assert.deepEqual(killed, ['killed', 'killed'])
          const report = await runJob({ ...job, what: 'flush' })
          assert.deepEqual(report === 'killed' ? report : report.errors, [])
          await assertArrived(await tasksOf(slot, count))
        }),
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
        assert.deepEqual(await copies(batch.tasks), [...batch.tasks])
      },
    },
    {
      name: 'adds only what is missing when a part of a batch was taken before',
      async run() {
        const whole = next(5)
        await opened((open) => open.deliver(whole.slice(0, 2)))
        await opened(async (open) =>
          assert.deepEqual(await open.deliver(whole), [
            'duplicate',
            'duplicate',
            'delivered',
            'delivered',
            'delivered',
          ]),
        )
        assert.deepEqual(await copies(whole.tasks), [...whole.tasks])
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
  const conditional = exactlyOnce.map(({ name, run }) => ({
    name: `if exactly-once: ${name}`,
    run: async () => {
      if ((await guarantee()) === 'exactly-once') await run()
    },
  }))
  return [...checks, ...conditional].map(timed)
}

/** What a schema must do, a source's as well as a sink's. */
function optionChecks({
  plugin,
  options,
}: {
  plugin: { options: ZodType }
  options: Record<string, unknown>
}): Check[] {
  return [
    {
      name: 'refuses an option that it does not know',
      async run() {
        assert.equal(
          plugin.options.safeParse({ ...options, thisOptionDoesNotExist: 1 }).success,
          false,
          'its schema must be strict',
        )
      },
    },
    {
      name: 'describes each of its options',
      async run() {
        const bare = optionRows(plugin.options).filter(
          ({ name, description }) => description === '' && !/[.[]/.test(name),
        )
        assert.deepEqual(
          bare.map(({ name }) => name),
          [],
          'give these a `.describe()`',
        )
      },
    },
  ]
}

const keyOf = (location: Location | Malformed): string =>
  JSON.stringify(location instanceof Malformed ? { malformed: location.value } : location)

/** Another one each time: what is asserted of its tasks holds for this run alone. */
const someSlot = (): string => new Date(Math.floor(Math.random() * 4e9) * 1000).toISOString().replace('.000Z', 'Z')

/** The tasks of the first `count` places of simulated-db. */
async function tasksOf(slot: string, count: number): Promise<string[]> {
  const plugin = await loadSource('simulated-db', '.')
  const signal = new AbortController().signal
  const source = await plugin.open(plugin.options.parse({ count }), {
    baseDir: '.',
    signal,
    log: silent,
    attempt: once,
  })
  const make = taskMaker(slot)
  const tasks: string[] = []
  for await (const { locations } of source.read(undefined))
    for (const location of locations) {
      const made = location instanceof Malformed ? location : make(location)
      if (typeof made === 'string') tasks.push(made)
    }
  return tasks
}

/** How another process finds the plugin. */
function choiceOf(
  { plugin, module, options, baseDir = process.cwd() }: UnderTest & { plugin: { name: string } },
  kind: 'source' | 'sink',
): PluginChoice {
  const builtIns = kind === 'source' ? sources : sinks
  if (module === undefined)
    assert.ok(
      plugin.name in builtIns,
      "say where the plugin's module is, so that another process can load it: `module: import.meta.resolve('./index.js')`",
    )
  const use = module === undefined ? plugin.name : module.startsWith('file:') ? fileURLToPath(module) : module
  return { use, options, baseDir }
}

/** From this file's place as well as from where it is built to. */

/** Runs a job in a process of its own, to its end or until it is killed. */
async function runJob(job: Job): Promise<Report | 'killed'> {
  const child: ChildProcess = fork(builtFile('plugins/conformance/runner'), {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  let report: Report | undefined
  child.on('message', (message: Report) => {
    report = message
  })
  child.send(job)
  const late = setTimeout(() => child.kill('SIGTERM'), checkSeconds * 1000)
  const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (_, endedBy) => resolve(endedBy))
  })
  clearTimeout(late)
  if (signal === 'SIGKILL') return 'killed'
  if (report) return report
  throw new assert.AssertionError({ message: `the process ended without a word: ${said}` })
}

async function inTemporaryFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-check-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** owm waits so long, then goes on without. */
async function closed(plugin: Source | Sink): Promise<void> {
  await withinSeconds(soon, Promise.resolve(plugin.close?.()), 'it hangs in `close`')
}

const timed = ({ name, run }: Check): Check => ({
  name,
  run: () => withinSeconds(checkSeconds, run(), 'the check was not done in time: does it hang?'),
})

async function withinSeconds<T>(seconds: number, work: Promise<T>, rule: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${rule} (${seconds} s)` })), seconds * 1000)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
