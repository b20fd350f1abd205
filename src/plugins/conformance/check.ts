/** What all checks share: their form, their time limits, how a plugin is opened and closed. */
import assert from 'node:assert/strict'
import type { output, ZodType } from 'zod'
import type { PluginContext, Sink, SinkPlugin, Source, SourcePlugin } from '../../plugin.js'
import { within } from '../../within.js'
import { optionRows } from '../describe.js'
import { superviseSink, superviseSource } from '../supervise/index.js'

/** One rule of a contract. `run` rejects with an AssertionError if it is broken. */
export interface Check {
  readonly name: string
  run(): Promise<void>
}

/** A way in which what a plugin talks to can fail. */
export interface Fault {
  /** In words, for the name of its check: `the server answers 500`. */
  readonly name: string
  /** Begins the failure. The function that it returns ends it, and restores everything. */
  begin(): (() => unknown) | Promise<() => unknown>
}

export interface UnderTest {
  /** As in a configuration, beside `use`; for the checks that kill they must survive JSON. */
  options: Record<string, unknown>
  /** Where relative paths in the options start; the working directory, if not given. */
  baseDir?: string
  /**
   * URL or path of the plugin's module, `import.meta.resolve('./index.js')`: the checks that kill load it in another
   * process.
   */
  module?: string
  /**
   * How what the plugin talks to can fail, halfway too. Each has a check of its own. Run one at a time, since a fault
   * affects what other checks read or write.
   */
  faults?: readonly Fault[]
}

export interface SourceUnderTest<Options extends ZodType> extends UnderTest {
  plugin: SourcePlugin<Options>
  /** How many locations these options give; for the best test, at least three batches of them. */
  count: number
}

export interface SinkUnderTest<Options extends ZodType> extends UnderTest {
  plugin: SinkPlugin<Options>
  /** All tasks that have arrived so far, as JSON text, in order. */
  arrived(): Promise<string[]>
  /**
   * Saves everything that the sink holds, its fences too; the function that it returns restores that, as a failover
   * would. For the check of a sink that loses tasks.
   */
  snapshot?(): Promise<() => Promise<void>>
}

/** Seconds for one check; a plugin that hangs fails it. */
export const checkSeconds = 50
const answerMs = 20_000
/** Seconds that owm waits for a plugin to close, or to end once it is interrupted. */
export const graceSeconds = 5

const silent = { debug() {}, info() {}, warn() {}, error() {} }

export type Attempt = PluginContext['attempt']
const once: Attempt = (operation) => operation()

export interface Conditions {
  attempt?: Attempt | undefined
  signal?: AbortSignal | undefined
}

/** Opens a source as owm does, and closes it. `use` gets it supervised, and bare. */
export async function withSource<Options extends ZodType, T>(
  { plugin, options, baseDir = process.cwd() }: SourceUnderTest<Options>,
  use: (source: Source, bare: Source) => Promise<T>,
  { attempt = once, signal = new AbortController().signal }: Conditions = {},
): Promise<T> {
  const bare = await plugin.open(optionsOf(plugin, options), { baseDir, signal, log: silent, attempt })
  try {
    const terms = { name: plugin.name, timeoutMs: answerMs, signal, log: silent }
    return await use(await superviseSource(terms, () => bare), bare)
  } finally {
    await mustClose(bare)
  }
}

/** Opens a sink as owm does, and closes it. */
export async function withSink<Options extends ZodType, T>(
  { plugin, options, baseDir = process.cwd() }: SinkUnderTest<Options>,
  prepare: (sink: Sink) => Promise<Sink>,
  use: (sink: Sink) => Promise<T>,
  signal: AbortSignal = new AbortController().signal,
): Promise<T> {
  const bare = await plugin.open(optionsOf(plugin, options), { baseDir, signal, log: silent, attempt: once })
  try {
    const terms = { name: plugin.name, timeoutMs: answerMs, signal, log: silent }
    const open = await superviseSink(terms, () => bare)
    return await use(await prepare(open))
  } finally {
    await mustClose(bare)
  }
}

function optionsOf<Options extends ZodType>(
  plugin: { options: Options },
  options: Record<string, unknown>,
): output<Options> {
  return plugin.options.parse(options)
}

/** Calls `use` with a fault that has begun, or that `begin` starts; ends the fault afterwards. */
export async function withFault<T>(
  fault: Fault,
  isBegun: boolean,
  use: (begin: () => Promise<void>) => Promise<T>,
): Promise<T> {
  let end: (() => unknown) | undefined
  const begin = async (): Promise<void> => {
    const begun = await (async () => fault.begin())().catch((error: unknown) => {
      throw new assert.AssertionError({ message: `"${fault.name}" can't begin: ${error}` })
    })
    assert.equal(typeof begun, 'function', `"${fault.name}": its \`begin\` must give a function that ends it`)
    end = begun
  }
  try {
    if (isBegun) await begin()
    return await use(begin)
  } finally {
    await end?.()
  }
}

/** Closes a plugin in the time that owm allows for that. */
export async function mustClose(plugin: Source | Sink): Promise<void> {
  await withinSeconds(graceSeconds, Promise.resolve(plugin.close?.()), 'it hangs in `close`')
}

export const timed = ({ name, run }: Check): Check => ({
  name,
  run: () => withinSeconds(checkSeconds, run(), 'the check was not done in time: does it hang?'),
})

export function withinSeconds<T>(seconds: number, work: Promise<T>, rule: string): Promise<T> {
  const late = () => new assert.AssertionError({ message: `${rule} (${seconds} s)` })
  return within({ ms: seconds * 1000, late }, work)
}

/** What the schema of a plugin's options must do. */
export function optionChecks({ plugin, options }: { plugin: { options: ZodType }; options: object }): Check[] {
  return [
    {
      name: 'refuses an option that it does not know',
      async run() {
        const { success } = plugin.options.safeParse({ ...options, thisOptionDoesNotExist: 1 })
        assert.equal(success, false, 'its schema must be strict')
      },
    },
    {
      name: 'describes each of its options',
      async run() {
        const undescribed = optionRows(plugin.options)
          .filter(({ name, description }) => description === '' && !/[.[]/.test(name))
          .map(({ name }) => name)
        assert.deepEqual(undescribed, [], 'give these a `.describe()`')
      },
    },
  ]
}

/** Compares what a plugin's examination finds with what the plugin declares. */
export function doctorCheck(
  { checks = {} }: Pick<SourcePlugin | SinkPlugin, 'checks'>,
  opened: (use: (plugin: Source | Sink) => Promise<void>) => Promise<void>,
): Check {
  return {
    name: 'if it can be examined: finds only what its checks declare, in words',
    run: () =>
      opened(async (plugin) => {
        for (const [code, { exitCode }] of Object.entries(checks))
          assert.ok([0, 74, 75, 78].includes(exitCode), `the exitCode of ${code} is ${exitCode}: 0, 74, 75 or 78?`)
        const patient = { outboxId: undefined, pending: 0, now: Date.now }
        for (const { code, todo } of (await plugin.doctor?.(patient)) ?? []) {
          assert.ok(Object.hasOwn(checks, code), `\`checks\` has no ${code}`)
          assert.ok(todo !== '', `${code} says nothing of what to do`)
        }
      }),
  }
}
