/**
 * Retries and the circuit breaker: the only file that knows cockatiel.
 *
 *     closed --`failures` attempts in a row failed, and so the operation--> open
 *     open --asked before `resetAfterMs` have passed--> open, CircuitOpenError
 *     open --asked later--> half open: one attempt, a probe
 *     half open --it fails--> open, from now on; --it succeeds, or fails for another reason--> closed
 *
 * The breaker counts failed attempts, but is asked only before an operation: a first failure may use all its retries,
 * and every later start against the same dead sink costs one probe. What it knows outlives the process: `save` gives
 * it as a BreakerRecord, which the outbox keeps.
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
    /** Milliseconds, cap of a single wait. */
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
   * Throws CircuitOpenError at once while the circuit is open. Waits end when
   * `signal` aborts.
   */
  run<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** Throws CircuitOpenError where `run` would: for a call that is made before `run` waits for its answer. */
  admit(): void
  /** The breaker's state for the next process; undefined while it's closed and without failures. */
  save(): BreakerRecord | undefined
}

interface ResilienceContext {
  /** What the calls go to, for the message of an open circuit. */
  around?: 'sink' | 'source'
  /** A digest of which one that is, for the record. */
  of?: string
  /** Milliseconds: who wants to be left alone for as long or longer (`retryAfterMs`) isn't waited for. */
  maxRetryAfterMs?: number
  onRetry?(event: { error: Error; attempt: number; delayMs: number }): void
}

/** Whether a retry can help. What isn't known is transient. */
export function isTransient(error: Error): boolean {
  const kind = errorKindOf(error) ?? 'transient'
  if (kind === 'configuration' || kind === 'refused' || kind === 'outbox') return false
  if (retryAfterOf(error) === Number.POSITIVE_INFINITY) return false
  return !['CHANGED', 'SUPERSEDED', 'SINK_FULL'].some((code) => isOwmError(error, code))
}

/** Counts the failed attempts inside operations; cockatiel asks it once an operation. */
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
  // A clock that went backwards must not hold the circuit open.
  let openedAt = saved?.openedAt == null ? null : Math.min(saved.openedAt, Date.now())
  const counter = new AttemptCounter(options.breaker.failures)
  counter.state = saved?.failures ?? 0
  const circuit = circuitBreaker(handleWhen(isTransient), {
    halfOpenAfter: options.breaker.resetAfterMs,
    breaker: counter,
    // It is documented only that this is what `toJSON` gave. That would have to be kept as it is, and what the outbox
    // keeps is owm's own record: so this is written here as `toJSON` of cockatiel 3 writes it.
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
    // Let through although the circuit was open: a probe, which is one attempt.
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
        // The jitter comes on top of what was asked for: all who were told the same shall not come at once.
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
