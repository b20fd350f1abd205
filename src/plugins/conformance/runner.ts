/**
 * The child process of the conformance suites' crash checks: one `produce` or
 * `flush` of the real pipeline on a real outbox, killed with SIGKILL at a step if
 * the job says so. Only jobs.ts starts it: it sends a Job, and passes the exit code
 * to use unless the plugin sets one.
 */
import { subscribe } from 'node:diagnostics_channel'
import { toError } from '../../errors/index.js'
import { Outbox } from '../../outbox/outbox.js'
import { flush } from '../../pipeline/flush.js'
import { bounded } from '../../pipeline/input/pages.js'
import type { SinkDeps, SourceDeps } from '../../pipeline/parts.js'
import { produce } from '../../pipeline/produce.js'
import { Resilience } from '../../pipeline/retry.js'
import { oneSlot, plainSettings } from '../../pipeline/slots/agenda.js'
import type { PluginContext } from '../../plugin.js'
import { isObject } from '../../tasks/json/tree.js'
import type { Step } from '../../trace.js'
import { trustFound } from '../../trust.js'
import { loadSink, loadSource } from '../load.js'
import { superviseSink, superviseSource } from '../supervise/index.js'

export interface PluginChoice {
  use: string
  options: Record<string, unknown>
  /** Where `use` and relative paths in options start. */
  baseDir: string
}

export interface Job {
  what: 'produce' | 'flush'
  outbox: string
  slot: string
  source: PluginChoice
  sink: PluginChoice
  /** False: store only. */
  deliver: boolean
  /** Tasks per batch. */
  batchSize: number
  /** Kills the process the n-th time that it reaches this step. */
  kill?: { at: Step; time: number }
}

/** What a run that wasn't killed did. */
export interface Report {
  errors: string[]
  read: number
}

const signal = new AbortController().signal
const log = { debug() {}, info() {}, warn() {}, error() {} }

process.once('message', async (job: Job) => {
  trustFound() // the author of a test names the plugin
  let left = job.kill?.time
  subscribe('owm:step', (message) => {
    if (left !== undefined && isObject(message) && 'at' in message && message.at === job.kill?.at && --left === 0)
      process.kill(process.pid, 'SIGKILL')
  })
  const report = await run(job).catch((error: unknown) => ({ errors: [toError(error).stack ?? ''], read: 0 }))
  process.send?.(report, () => process.exit(process.exitCode ?? Number(process.argv[2])))
})

async function run({ what, slot, outbox: path, source, sink, deliver, batchSize }: Job): Promise<Report> {
  const outbox = await Outbox.open(path, {
    command: 'owm/testing',
    waitMs: Number.POSITIVE_INFINITY,
    batchSize,
    create: true,
    trustFolder: false,
    masked: (text) => text,
    keepRejected: 10_000,
    signal,
    now: Date.now,
  })
  try {
    const guard = new Resilience({
      retry: { attempts: 3, initialDelayMs: 10, maxDelayMs: 100 },
      breaker: { failures: 100, resetAfterMs: 1 },
    })
    const deps = {
      outbox,
      pipeline: 'owm/testing',
      isSharded: false,
      sink: await sinkOf(sink),
      resilience: guard,
      log,
      signal,
    }
    if (what === 'flush')
      return {
        errors: (await flush({ limit: Number.POSITIVE_INFINITY }, deps)).errors.map(({ message }) => message),
        read: 0,
      }
    const agenda = oneSlot(slot, true)
    const options = { ...plainSettings, agenda, flush: deliver, keepTasks: 100_000, keepRuns: 10 }
    const summary = await produce(options, { ...deps, source: await sourceOf(source) })
    return { errors: summary.errors.map(({ message }) => message), read: summary.run.read }
  } finally {
    await outbox.close()
  }
}

const context = (baseDir: string): PluginContext => ({ baseDir, signal, log, attempt: (operation) => operation() })
const terms = (name: string) => ({ name, timeoutMs: 30_000, signal, log })

async function sourceOf({ use, options, baseDir }: PluginChoice): Promise<SourceDeps> {
  const plugin = await loadSource(use, baseDir)
  const open = () => plugin.open(plugin.options.parse(options), context(baseDir))
  return {
    name: plugin.name,
    digest: '',
    open: async () => bounded(await superviseSource(terms(plugin.name), open), plugin.name, 1_000_000),
  }
}

async function sinkOf({ use, options, baseDir }: PluginChoice): Promise<SinkDeps> {
  const plugin = await loadSink(use, baseDir)
  const open = () => plugin.open(plugin.options.parse(options), context(baseDir))
  return { name: plugin.name, open: () => superviseSink(terms(plugin.name), open) }
}
