/**
 * Retries and the circuit breaker: the only file that knows cockatiel.
 *
 *     closed --`failures` attempts in a row failed, and so the operation--> open
 *     open --called before `resetAfterMs` have passed--> open, CircuitOpenError
 *     open --called later--> half open: one attempt, a probe
 *     half open --it fails--> open, from now on; --it succeeds, or its error isn't transient--> closed
 *
 * The breaker counts failed attempts, but is consulted only before an operation: the first one may use all its retries,
 * and every later start against the same dead sink costs one probe. Its state outlives the process: `save` returns it
 * as a BreakerRecord, which the outbox stores.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  ExponentialBackoff,
  fullJitterGenerator,
  handleWhen,
  type IBreaker,
} from 'cockatiel'
import { CircuitOpenError, errorKindOf, isOwmError, retryAfterOf, toError } from '../errors/index.js'
import type { BreakerRecord } from '../outbox/breakers.js'

interface ResilienceOptions {
  retry: {
    /** Attempts in all, 1 or more. */
    attempts: number
    /** Milliseconds. */
    initialDelayMs: number
    /** Milliseconds: the longest single wait. */
    maxDelayMs: number
  }
  breaker: {
    /** Failed attempts in a row that open the circuit. */
    failures: number
    /** Milliseconds from opening to the next probe. */
    resetAfterMs: number
  }
}

interface ResilienceContext {
  /** What the calls go to, for the message of an open circuit. */
  around?: 'sink' | 'source'
  /** A digest that identifies it, for the record. */
  of?: string
  /** Milliseconds: a `retryAfterMs` of at least this isn't waited for. */
  maxRetryAfterMs?: number
  onRetry?(event: { error: Error; attempt: number; delayMs: number }): void
}

/** Whether a retry can help. Unknown errors count as transient. */
export function isTransient(error: Error): boolean {
  const kind = errorKindOf(error) ?? 'transient'
  if (kind === 'configuration' || kind === 'refused' || kind === 'outbox') return false
  if (retryAfterOf(error) === Number.POSITIVE_INFINITY) return false
  return !['CHANGED', 'SUPERSEDED', 'SINK_FULL'].some((code) => isOwmError(error, code))
}

/** Counts the failed attempts inside operations; cockatiel consults it once for each operation. */
class AttemptCounter implements IBreaker {
  state = 0
  readonly #threshold: number

  constructor(threshold: number) {
    this.#threshold = threshold
  }

  success(): void {
    this.state = 0
  }

  failure(): boolean {
    return this.state >= this.#threshold
  }
}

/** Retries and the circuit breaker around all calls to one sink or source. */
export class Resilience {
  readonly #options: ResilienceOptions
  readonly #around: 'sink' | 'source'
  readonly #of: string | undefined
  readonly #maxRetryAfterMs: number
  readonly #onRetry: ResilienceContext['onRetry']
  readonly #counter: AttemptCounter
  readonly #circuit: CircuitBreakerPolicy
  #openedAt: number | null

  constructor(
    options: ResilienceOptions,
    saved?: BreakerRecord,
    { around = 'sink', of, maxRetryAfterMs = 60_000, onRetry }: ResilienceContext = {},
  ) {
    this.#options = options
    this.#around = around
    this.#of = of
    this.#maxRetryAfterMs = maxRetryAfterMs
    this.#onRetry = onRetry
    // A clock that was set back must not keep the circuit open.
    this.#openedAt = saved?.openedAt == null ? null : Math.min(saved.openedAt, Date.now())
    this.#counter = new AttemptCounter(options.breaker.failures)
    this.#counter.state = saved?.failures ?? 0
    this.#circuit = circuitBreaker(handleWhen(isTransient), {
      halfOpenAfter: options.breaker.resetAfterMs,
      breaker: this.#counter,
      // Documented only as the result of `toJSON`. The outbox stores owm's own record instead of that, so this builds
      // what cockatiel 3 would have returned.
      ...(saved?.state === 'open' && {
        initialState: {
          ownState: { value: CircuitState.Open, openedAt: this.#openedAt, attemptNo: 1 },
          breakerState: this.#counter.state,
        },
      }),
    })
    this.#circuit.onBreak(() => {
      this.#openedAt = Date.now()
    })
  }

  /**
   * Runs `operation` until it succeeds, fails with an error that isn't transient, or the attempts are used up; then
   * throws the last error. Throws CircuitOpenError at once while the circuit is open. An abort of `signal` ends a wait.
   */
  async run<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#circuit.execute(() => this.#attempts(operation, signal), signal)
    } catch (error) {
      throw error instanceof BrokenCircuitError ? circuitOpen(this.#around, this.#options) : error
    }
  }

  /** Throws CircuitOpenError if `run` would: for a call that is made before `run` waits for its answer. */
  admit(): void {
    if (this.#circuit.state !== CircuitState.Open) return
    const openFor = Date.now() - (this.#openedAt ?? 0)
    if (openFor < this.#options.breaker.resetAfterMs) throw circuitOpen(this.#around, this.#options)
  }

  /** The breaker's state for the next process; undefined if it is closed and without failures. */
  save(): BreakerRecord | undefined {
    const about = { failures: this.#counter.state, ...(this.#of === undefined ? {} : { of: this.#of }) }
    if (this.#circuit.state !== CircuitState.Closed) return { state: 'open', openedAt: this.#openedAt, ...about }
    return this.#counter.state === 0 ? undefined : { state: 'closed', openedAt: null, ...about }
  }

  async #attempts<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
    // In a circuit that isn't closed this is the probe: one attempt.
    const most = this.#circuit.state === CircuitState.Closed ? this.#options.retry.attempts : 1
    const { initialDelayMs: initialDelay, maxDelayMs: maxDelay } = this.#options.retry
    const backoff = new ExponentialBackoff({ generator: fullJitterGenerator, initialDelay, maxDelay })
    let wait = backoff.next()
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation()
      } catch (thrown) {
        const error = toError(thrown)
        if (!isTransient(error) || signal.aborted) throw error
        this.#counter.state++
        const asked = retryAfterOf(error)
        if (attempt >= most || asked >= this.#maxRetryAfterMs) throw error
        // Jitter is added to the delay, so that clients told the same delay don't return at once.
        const delay = asked + wait.duration
        this.#onRetry?.({ error, attempt, delayMs: Math.round(delay) })
        await sleep(delay, undefined, { signal }).catch(() => {
          throw error
        })
        wait = wait.next(undefined)
      }
    }
  }
}

function circuitOpen(around: 'sink' | 'source', { breaker }: ResilienceOptions): CircuitOpenError {
  const when = `It is asked again ${breaker.resetAfterMs / 1000} s after the last failure`
  return new CircuitOpenError(`The circuit to the ${around} is open after repeated failures: it was not asked.`, {
    hint:
      around === 'sink'
        ? `${when}; \`owm flush --force\` asks now.`
        : `${when}, at the next start; \`owm produce --force\` asks now.`,
  })
}
