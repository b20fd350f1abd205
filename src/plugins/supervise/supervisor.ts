/**
 * The one supervision of everything that a plugin does: it is held to its contract (plugin.ts) and to its time.
 * Whatever it does instead of what it promised ends in an error that names the plugin and the rule.
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
import { clipped } from '../../words.js'

/** A failure that may pass, and says which plugin's it is. */
export class PluginError extends TransientError {}

export interface Terms {
  /** As the configuration names the plugin. */
  name: string
  /** Milliseconds that it may take for an answer. */
  timeoutMs: number
  signal: AbortSignal
  log: Logger
}

/** Milliseconds that a call may still take once the run was interrupted. */
const graceMs = 5_000

/** Milliseconds that a plugin may take to close: what it gave or took is safe by then. */
const closeMs = 5_000

/** Calls one plugin, and waits for it so long as it may take. */
export class Supervisor {
  readonly terms: Terms
  /** `source http`, as it is called in each error. */
  readonly who: string
  /**
   * The calls that are waited for. One listener on the signal for all of them: Node links a signal's listeners, the
   * removed ones too, so that with one a call each would keep the next one's batch from the garbage collector.
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

  /** A command may open thousands of sources, one after the other. */
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
    this.must(isObject(opened), `\`open\` gave ${shown(opened)}`, hint)
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

  /** Calls the plugin; an error that isn't owm's own gets the plugin's name. */
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
      hint: 'Mend the cause, then start again.',
      cause: error,
    })
  }

  /** What ends a start by its class has no words but the plugin's: they may name neither the sink nor a next step. */
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

  /** Waits so long as the plugin may take, and little longer once the run is interrupted. */
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

  /** Asks for the next page: undefined once the signal aborts, for nobody waits for it any more. */
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
   * What an iteration of a plugin gives, one by one, until it ends or `next` gives undefined instead of waiting for
   * more. Timers and signals are heard also where it never waits for anything.
   */
  async *each<T>(
    part: string,
    begin: () => AsyncIterable<T>,
    next: (ask: () => Promise<IteratorResult<T, unknown>>) => Promise<IteratorResult<T, unknown> | undefined>,
  ): AsyncGenerator<T> {
    const hint = `Write it as \`async *${part}(…) { … yield … }\`.`
    const given = begin()
    this.must(isObject(given) && Symbol.asyncIterator in given, `\`${part}\` gave ${shown(given)}`, hint)
    const iterator = given[Symbol.asyncIterator]()
    this.must(isObject(iterator), `\`${part}\` gave an iterator that is ${shown(iterator)}`, hint)
    // Nothing, where `for await` would throw: it isn't the end.
    const ask = async (): Promise<IteratorResult<T, unknown>> => {
      const result = await iterator.next()
      this.must(isObject(result), `\`next\` of \`${part}\` gave ${shown(result)}`, hint)
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
          const left = `\`${part}\` returned ${shown(result.value)}`
          this.must(result.value === undefined, left, 'Each is a `yield`, the last one too.')
          return
        }
        yield result.value
        if (turns % 1000 === 0) await nextTurn()
      }
    } finally {
      // An iteration that hangs can't be asked to end either.
      const ended = iterator.return?.()
      if (!isPulling) await (ended && this.within(ended, 'did not end'))
      else ended?.catch(() => undefined)
    }
  }

  /** Closes a plugin; that it can't be closed, or hangs, changes nothing about the run. */
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

  /** Waits for `work` or the deadline. One promise a call: both are let go of when either has come. */
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

/** Rejects `passed` after a time, which can be set anew. */
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

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** A value in an error: short, and harmless whatever it is. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'function') return 'a function'
  if (isObject(value)) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return clipped(text, 60)
}
