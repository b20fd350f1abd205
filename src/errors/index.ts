/**
 * Every error that owm raises on purpose, with the exit code it leads to.
 *
 * An error has a class, never a string to match: `transient` is tried again,
 * `refused` sets a task aside as dead, `configuration` stops at once. What owm
 * doesn't know is transient: a retry can do no harm, giving up can.
 */

/** Exit codes, as operators read them (sysexits.h where it has one). */
export const exitCodes = {
  ok: 0,
  usage: 2,
  inputRejected: 65,
  outbox: 74,
  notHandedOver: 75,
  configuration: 78,
  interrupted: 130,
  terminated: 143,
} as const

export interface OwmErrorOptions {
  /** What the reader should do next: one sentence. */
  hint?: string
  cause?: unknown
}

/** On the classes of every copy of owm: a plugin often brings its own copy, and its errors must count all the same. */
const brand = Symbol.for('owm.error')

/** Base of all errors with a message that is meant for an operator. */
export abstract class OwmError extends Error {
  static readonly [brand] = true

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked for, such as TransientError
    return isOf(this, value)
  }

  /** Stable, upper case, for programs: `error.code` in `--json`. */
  abstract readonly code: string
  abstract readonly exitCode: number
  readonly hint: string | undefined

  constructor(message: string, options: OwmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.hint = options.hint
  }
}

function isOf(asked: { name: string }, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  for (let type: unknown = value.constructor; typeof type === 'function'; type = Object.getPrototypeOf(type))
    if (type === asked || (type.name === asked.name && brand in type)) return true
  return false
}

/** Wrong flags or arguments. */
export class UsageError extends OwmError {
  override readonly code = 'USAGE'
  override readonly exitCode = exitCodes.usage
}

/** A setting, a credential or a plugin is wrong: a retry won't help. */
export class ConfigurationError extends OwmError {
  override readonly code = 'CONFIGURATION'
  override readonly exitCode = exitCodes.configuration
}

/** Several settings are wrong: each is told. */
export class ConfigurationErrors extends ConfigurationError {
  readonly all: readonly ConfigurationError[]

  constructor(all: readonly ConfigurationError[]) {
    const shown = all.slice(0, 20).map(({ message, hint }) => `- ${message}${hint === undefined ? '' : ` ${hint}`}`)
    const rest = all.length > shown.length ? [`and ${all.length - shown.length} more`] : []
    super([`The configuration has ${all.length} mistakes:`, ...shown, ...rest].join('\n'), {
      hint: 'Correct them, then let `owm config check` look again.',
    })
    this.all = all
  }
}

/** It may work next time: tried again, then left in the outbox. */
export class TransientError extends OwmError {
  override readonly code: string = 'NOT_HANDED_OVER'
  override readonly exitCode = exitCodes.notHandedOver
  /** Milliseconds for which the other side wants to be left alone, where it said so: no retry comes earlier. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    { retryAfterMs, ...options }: OwmErrorOptions & { retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options)
    this.retryAfterMs = retryAfterMs
  }
}

/** A source failed for good in this run; the next start reads on where it stopped. */
export class SourceError extends TransientError {
  override readonly code = 'SOURCE'
}

/** A source can't read on from its resume point, because what it reads has changed: it's read anew, nothing twice. */
export class ResumePointError extends TransientError {
  override readonly code = 'RESUME_POINT'
}

/** The circuit is open: the sink wasn't asked. */
export class CircuitOpenError extends TransientError {
  override readonly code = 'CIRCUIT_OPEN'
}

/** The sink is full, by its own policy: the rest stays in the outbox. */
export class SinkFullError extends TransientError {
  override readonly code = 'SINK_FULL'
}

/** Another owm works on this outbox. */
export class OutboxBusyError extends TransientError {
  override readonly code = 'OUTBOX_BUSY'
}

/**
 * What the sink remembers of this outbox isn't what the flusher expects:
 * the pipeline asks for its position again before it goes on.
 */
export class FenceError extends TransientError {
  override readonly code = 'FENCE'
}

/** The sink will never take this batch as it is; its tasks are tried one by one. */
export class RefusedError extends OwmError {
  override readonly code = 'REFUSED'
  override readonly exitCode = exitCodes.notHandedOver
}

/** The outbox can't be read or written. */
export class OutboxError extends OwmError {
  override readonly code = 'OUTBOX'
  override readonly exitCode = exitCodes.outbox
}

/** Locations were rejected and the caller asked to hear of it (`--strict`). */
export class InputRejectedError extends OwmError {
  override readonly code = 'INPUT_REJECTED'
  override readonly exitCode = exitCodes.inputRejected
}

/** SIGINT or SIGTERM arrived. */
export class InterruptedError extends OwmError {
  override readonly code = 'INTERRUPTED'
  override readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`Interrupted by ${signal}.`, { hint: 'Run the same command again: it resumes where this one stopped.' })
    this.exitCode = signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
  }
}

/** What was thrown, as an error: anything can be thrown in JavaScript. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** The `code` of a system or driver error ('' where it has none). */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
}

const certificateCodes = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** Whether a TLS certificate wasn't trusted: no retry helps. */
export const isDistrusted = (thrown: unknown): boolean => certificateCodes.has(codeOf(thrown))

/** More locations came than `source.maxLocations` allows. */
export const endlessSource = (name: string, maxLocations: number): ConfigurationError =>
  new ConfigurationError(`The source ${name} gave more than ${maxLocations} locations: it may never end.`, {
    hint: 'Look at the source; if there are really so many, raise source.maxLocations. What was read is safe in the outbox.',
  })
