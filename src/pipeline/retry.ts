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

export interface Resilience {
  /**
   * Runs `operation` until it succeeds, fails with an error that isn't
   * transient, or the attempts are used up; then throws the last error.
   * Throws CircuitOpenError at once while the circuit is open. An abort of
   * `signal` ends a wait.
   */
  run<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** Throws CircuitOpenError if `run` would: for a call that is made before `run` waits for its answer. */
  admit(): void
  /** The breaker's state for the next process; undefined if it is closed and without failures. */
  save(): BreakerRecord | undefined
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

export function resilience(
  options: ResilienceOptions,
  saved?: BreakerRecord,
  { around = 'sink', of, maxRetryAfterMs = 60_000, onRetry }: ResilienceContext = {},
): Resilience {
  // A clock that was set back must not keep the circuit open.
  let openedAt = saved?.openedAt == null ? null : Math.min(saved.openedAt, Date.now())
  const counter = new AttemptCounter(options.breaker.failures)
  counter.state = saved?.failures ?? 0
  const circuit = circuitBreaker(handleWhen(isTransient), {
    halfOpenAfter: options.breaker.resetAfterMs,
    breaker: counter,
    // Documented only as the result of `toJSON`. The outbox stores owm's own record instead of that, so this builds
    // what cockatiel 3 would have returned.
    ...(saved?.state === 'open' && {
      initialState: { ownState: { value: CircuitState.Open, openedAt, attemptNo: 1 }, breakerState: counter.state },
    }),
  })
  circuit.onBreak(() => {
    openedAt = Date.now()
  })
  const backoff = new ExponentialBackoff({
    generator: fullJitterGenerator,
    initialDelay: options.retry.initialDelayMs,
    maxDelay: options.retry.maxDelayMs,
  })

  async function attempts<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
    // In a circuit that isn't closed this is the probe: one attempt.
    const most = circuit.state === CircuitState.Closed ? options.retry.attempts : 1
    let wait: ReturnType<typeof backoff.next> | undefined
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation()
      } catch (thrown) {
        const error = toError(thrown)
        if (!isTransient(error) || signal.aborted) throw error
        counter.state++
        const asked = retryAfterOf(error)
        if (attempt >= most || asked >= maxRetryAfterMs) throw error
        wait = wait ? wait.next(undefined) : backoff.next()
        // Jitter is added to the delay, so that clients told the same delay don't return at once.
        const delay = asked + wait.duration
        onRetry?.({ error, attempt, delayMs: Math.round(delay) })
        await sleep(delay, undefined, { signal }).catch(() => {
          throw error
        })
      }
    }
  }

  return {
    async run(operation, signal) {
      try {
        return await circuit.execute(() => attempts(operation, signal), signal)
      } catch (error) {
        throw error instanceof BrokenCircuitError ? circuitOpen(around, options) : error
      }
    },
    admit() {
      const isOpen = circuit.state === CircuitState.Open && Date.now() - (openedAt ?? 0) < options.breaker.resetAfterMs
      if (isOpen) throw circuitOpen(around, options)
    },
    save() {
      const about = { failures: counter.state, ...(of === undefined ? {} : { of }) }
      if (circuit.state !== CircuitState.Closed) return { state: 'open', openedAt, ...about }
      return counter.state === 0 ? undefined : { state: 'closed', openedAt: null, ...about }
    },
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
