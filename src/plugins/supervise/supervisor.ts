/**
 * The only supervision of plugins: holds each to its contract (plugin.ts) and to time limits. A breach ends in an error
 * that names the plugin and the rule.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ChangedError,
  ConfigurationError,
  isOwmError,
  type OwmError,
  retryAfterOf,
  SinkFullError,
  TransientError,
  toError,
} from '../../errors/index.js'
import type { Logger, Sink, Source } from '../../plugin.js'
import { isObject } from '../../tasks/json/tree.js'
import { clipped } from '../../words.js'

/** A failure that may pass, with the name of its plugin. */
export class PluginError extends TransientError {}

export interface Terms {
  /** As the configuration names the plugin. */
  name: string
  /** Milliseconds that it may take to answer. */
  timeoutMs: number
  signal: AbortSignal
  log: Logger
}

/** Milliseconds that a call may still take once the run is interrupted. */
const graceMs = 5_000

/** Milliseconds that a plugin may take to close: what it read or wrote is safe by then. */
const closeMs = 5_000

/** Calls one plugin, and limits how long it may take. */
export class Supervisor {
  readonly terms: Terms
  /** `source http`, as errors call it. */
  readonly who: string
  /**
   * What to do on an abort, for each pending call. They share one listener on the signal: Node links a signal's
   * listeners, even removed ones, so with a listener for each call, each would keep the next one's batch in memory.
   */
  readonly #waits = new Set<() => void>()

  constructor(kind: 'source' | 'sink', terms: Terms) {
    this.terms = terms
    this.who = `${kind} ${terms.name}`
    terms.signal.addEventListener('abort', this.#onAbort)
  }

  readonly #onAbort = (): void => {
    for (const onAbort of this.#waits) onAbort()
  }

  /** Removes the listener: a command may open thousands of sources, one after the other. */
  #end(): void {
    this.terms.signal.removeEventListener('abort', this.#onAbort)
  }

  must(holds: boolean, rule: string, hint: string): void {
    if (!holds) this.fail(rule, hint)
  }

  fail(rule: string, hint: string): never {
    throw new ConfigurationError(`The ${this.who} broke its contract: ${rule}.`, { hint })
  }

  mustHave(opened: object, method: string, hint: string): void {
    this.must(isObject(opened), `\`open\` gave ${valueInWords(opened)}`, hint)
    const found: unknown = this.look(method, () => Reflect.get(opened, method))
    this.must(typeof found === 'function', `\`open\` gave an object without a function \`${method}\``, hint)
  }

  /** Reads a property, which may be a getter. */
  look<T>(property: string, read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw new ConfigurationError(
        `The ${this.who} broke its contract: reading its \`${property}\` threw: ${toError(error).message}.`,
        { hint: 'What can fail belongs in `open`, `read` and `deliver`.', cause: error },
      )
    }
  }

  async open<T>(open: () => T | Promise<T>): Promise<T> {
    try {
      return await this.within(this.ask(open, "couldn't be opened"), 'did not open')
    } catch (error) {
      this.#end()
      throw error
    }
  }

  /** Calls the plugin, and names it in errors that aren't owm's own. */
  async ask<T>(call: () => T | Promise<T>, what = 'failed'): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw this.failure(error, what)
    }
  }

  failure(error: unknown, what = 'failed'): Error {
    if (isOwmError(error)) return error.hint === undefined ? this.#explained(error) : error
    return new PluginError(`The ${this.who} ${what}: ${toError(error).message}`, {
      hint: 'Fix the cause, then start again.',
      cause: error,
    })
  }

  /** Names the plugin and a next step in errors that end a start: the plugin's own words may have neither. */
  #explained(error: OwmError): Error {
    if (error.code === 'SINK_FULL')
      return new SinkFullError(`The ${this.who} has no room for the tasks: ${error.message}`, {
        hint: 'Make room there; the tasks wait in the outbox.',
        retryAfterMs: retryAfterOf(error) || undefined,
        cause: error,
      })
    if (error.code === 'CHANGED')
      return new ChangedError(`The ${this.who} isn't as it was left: ${error.message}`, {
        hint: 'The tasks wait in the outbox; the next start compares with it first. `owm verify` says what it has.',
        cause: error,
      })
    return error
  }

  /** Waits as long as the plugin may take, but only a little longer once the run is interrupted. */
  async within<T>(work: Promise<T>, what: string): Promise<T> {
    const { timeoutMs, signal } = this.terms
    const afterAbortMs = Math.min(timeoutMs, graceMs)
    const hint = 'Look at what it talks to; its `timeoutMs` is the limit.'
    const deadline = new Deadline(
      signal.aborted ? afterAbortMs : timeoutMs,
      (ms) => new PluginError(`The ${this.who} ${what} within ${ms / 1000} s.`, { hint }),
    )
    return this.#race(work, deadline, () => deadline.begin(afterAbortMs))
  }

  /** Asks for the next page; undefined as soon as the signal aborts, since the page is no longer needed. */
  async pull<T>(next: () => Promise<T>): Promise<T | undefined> {
    let stop: () => void = () => undefined
    const stopped = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined)
    })
    const hint = 'Look at what it reads from, or raise source.timeoutMs.'
    const late = (ms: number): Error => new PluginError(`The ${this.who} gave nothing for ${ms / 1000} s.`, { hint })
    return this.#race(Promise.race([next(), stopped]), new Deadline(this.terms.timeoutMs, late), stop)
  }

  /**
   * The items of a plugin's iteration, until it ends or `next` gives undefined instead of waiting for more. Lets timers
   * and signals run even if the plugin never waits for anything.
   */
  async *each<T>(
    part: string,
    begin: () => AsyncIterable<T>,
    next: (ask: () => Promise<IteratorResult<T, unknown>>) => Promise<IteratorResult<T, unknown> | undefined>,
  ): AsyncGenerator<T> {
    const hint = `Write it as \`async *${part}(…) { … yield … }\`.`
    const iterable = begin()
    this.must(
      isObject(iterable) && Symbol.asyncIterator in iterable,
      `\`${part}\` gave ${valueInWords(iterable)}`,
      hint,
    )
    const iterator = iterable[Symbol.asyncIterator]()
    this.must(isObject(iterator), `\`${part}\` gave an iterator that is ${valueInWords(iterator)}`, hint)
    // A result that is no object is an error, as in `for await`, and not the end.
    const ask = async (): Promise<IteratorResult<T, unknown>> => {
      const result = await iterator.next()
      this.must(isObject(result), `\`next\` of \`${part}\` gave ${valueInWords(result)}`, hint)
      return result
    }
    let isPulling = false
    try {
      for (let turns = 1; ; turns += 1) {
        isPulling = true
        const result = await next(ask)
        if (result === undefined) return
        isPulling = false
        if (result.done) {
          const rule = `\`${part}\` returned ${valueInWords(result.value)}`
          this.must(result.value === undefined, rule, 'Each is a `yield`, the last one too.')
          return
        }
        yield result.value
        if (turns % 1000 === 0) await nextTurn()
      }
    } finally {
      // If the iteration hangs, its `return` does, too.
      const ended = iterator.return?.()
      if (!isPulling) await (ended && this.within(ended, 'did not end'))
      else ended?.catch(() => undefined)
    }
  }

  /** Closes a plugin. If that fails or hangs, the run only logs a warning. */
  async close(plugin: Source | Sink): Promise<void> {
    const deadline = new Deadline(closeMs, (ms) => new Error(`it took longer than ${ms / 1000} s`))
    try {
      await this.#race(
        this.ask(async () => plugin.close?.()),
        deadline,
        () => undefined,
      )
    } catch (error) {
      this.terms.log.warn({ event: 'plugin-not-closed', err: toError(error) }, `the ${this.who} could not be closed`)
    } finally {
      this.#end()
    }
  }

  /** Waits for `work` or the deadline. Each call has its own, so that neither is kept once the other has settled. */
  async #race<T>(work: Promise<T>, deadline: Deadline, onAbort: () => void): Promise<T> {
    this.#waits.add(onAbort)
    try {
      return await Promise.race([work, deadline.passed])
    } finally {
      deadline.end()
      this.#waits.delete(onAbort)
    }
  }
}

/** Rejects `passed` after a time, which can be set again. */
class Deadline {
  readonly passed: Promise<never>
  #timer: NodeJS.Timeout | undefined
  #reject: (error: Error) => void = () => undefined
  readonly #error: (ms: number) => Error

  constructor(ms: number, error: (ms: number) => Error) {
    this.#error = error
    this.passed = new Promise((_, reject) => {
      this.#reject = reject
    })
    this.begin(ms)
  }

  begin(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#reject(this.#error(ms)), ms)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** A value in an error: short, and harmless whatever it is. */
export function valueInWords(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'function') return 'a function'
  if (isObject(value)) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return clipped(text, 60)
}
