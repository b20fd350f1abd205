/**
 * Every error that owm raises on purpose, with the exit code it leads to.
 *
 * What happens after an error depends on its kind, which is data on the error: `transient` is tried again, `refused`
 * makes a task a dead letter, `configuration` stops at once. An unknown error is transient: a retry does no harm,
 * giving up might.
 */

/** Exit codes, as operators read them (those of sysexits.h where it has one). */
export const exitCodes = {
  ok: 0,
  usage: 2,
  inputRejected: 65,
  internal: 70,
  outbox: 74,
  notDelivered: 75,
  configuration: 78,
  interrupted: 130,
  terminated: 143,
} as const

type ErrorKind = 'usage' | 'configuration' | 'transient' | 'refused' | 'outbox' | 'input' | 'interrupted'

/** Where an error carries its kind: the same key in every copy of owm, since a plugin often brings its own copy. */
const mark = Symbol.for('owm.error')

interface OwmErrorOptions {
  /** What the reader should do next: one sentence. */
  hint?: string
  cause?: unknown
}

/** Base of all errors whose message is meant for an operator. */
export abstract class OwmError extends Error {
  /** Older copies of owm look for the mark on the class. */
  static readonly [mark] = true
  abstract readonly [mark]: ErrorKind
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

/** A message and the next step, where there is one, as one text. */
export const inOneText = (message: string, hint: string | undefined): string =>
  hint === undefined ? message : `${message.replace(/\.?$/, '.')} ${hint}`

/** Wrong flags or arguments. */
export class UsageError extends OwmError {
  override readonly [mark] = 'usage'
  override readonly code = 'USAGE'
  override readonly exitCode = exitCodes.usage
}

/** A setting, a credential or a plugin is wrong: a retry won't help. */
export class ConfigurationError extends OwmError {
  override readonly [mark] = 'configuration'
  override readonly code = 'CONFIGURATION'
  override readonly exitCode = exitCodes.configuration
  /** The section of the configuration that is wrong, where that is known: `source`. */
  readonly section: string | undefined

  constructor(message: string, { section, ...options }: OwmErrorOptions & { section?: string | undefined } = {}) {
    super(message, options)
    this.section = section
  }
}

/** Several settings are wrong: the message lists them all. */
export class ConfigurationErrors extends ConfigurationError {
  readonly all: readonly ConfigurationError[]

  constructor(all: readonly ConfigurationError[]) {
    const shown = all.slice(0, 20).map(({ message, hint }) => `- ${message}${hint === undefined ? '' : ` ${hint}`}`)
    const rest = all.length > shown.length ? [`and ${all.length - shown.length} more`] : []
    super([`The configuration has ${all.length} mistakes:`, ...shown, ...rest].join('\n'), {
      hint: 'Correct them, then run `owm config check` again.',
    })
    this.all = all
  }
}

/** Each of several mistakes, or the one. */
export const mistakesIn = (error: OwmError): readonly OwmError[] =>
  error instanceof ConfigurationErrors ? error.all : [error]

/** It may work next time: tried again, then left in the outbox. */
export class TransientError extends OwmError {
  override readonly [mark] = 'transient'
  override readonly code: string = 'NOT_HANDED_OVER'
  override readonly exitCode = exitCodes.notDelivered
  /**
   * Milliseconds for which the other side asked to be left alone, where it did: no retry comes earlier. Infinity where
   * only another start can help: there is no retry then, and the circuit stays as it is.
   */
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

/** A source can't read on from its checkpoint, since what it reads has changed: it is read anew, and nothing twice. */
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

/** A batch doesn't fit behind the last task that the sink took: the relay compares with the sink before it goes on. */
export class ChangedError extends TransientError {
  override readonly code = 'CHANGED'
}

/** Another process, or a copy of the outbox, has attached to the sink or taken the outbox: this one stops. */
export class SupersededError extends TransientError {
  override readonly code = 'SUPERSEDED'
}

/** The sink lost tasks that can't be delivered again from the history. */
export class SinkLostError extends TransientError {
  override readonly code = 'SINK_LOST'
}

/** Outbox, receipt, sink or source say different things of a slot. */
export class DifferentError extends TransientError {
  override readonly code = 'DIFFERENT'
}

/** The sink will never take this batch as it is; its tasks are tried one by one. */
export class RefusedError extends OwmError {
  override readonly [mark] = 'refused'
  override readonly code = 'REFUSED'
  override readonly exitCode = exitCodes.notDelivered
}

/** The outbox can't be read or written. */
export class OutboxError extends OwmError {
  override readonly [mark] = 'outbox'
  override readonly code = 'OUTBOX'
  override readonly exitCode = exitCodes.outbox
}

/** Locations were rejected, and the caller asked to be told by the exit code (`--strict`). */
export class InputRejectedError extends OwmError {
  override readonly [mark] = 'input'
  override readonly code = 'INPUT_REJECTED'
  override readonly exitCode = exitCodes.inputRejected
}

/** A plan exceeds a limit of the weather API, and the caller asked to be told by the exit code (`--check`). */
export class OverLimitError extends OwmError {
  override readonly [mark] = 'input'
  override readonly code = 'OVER_LIMIT'
  override readonly exitCode = exitCodes.inputRejected
}

/** SIGINT, SIGTERM or SIGHUP arrived. */
export class InterruptedError extends OwmError {
  override readonly [mark] = 'interrupted'
  override readonly code = 'INTERRUPTED'
  override readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', hint?: string) {
    super(`Interrupted by ${signal}.`, {
      hint: hint ?? 'Run the same command again: it resumes where this one stopped.',
    })
    this.exitCode = signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
  }
}

/** The kind of an error that some copy of owm raised; undefined for all others. */
export function errorKindOf(thrown: unknown): ErrorKind | undefined {
  if (!(thrown instanceof Error)) return undefined
  const kind: unknown = mark in thrown ? thrown[mark] : undefined
  if (isKind(kind)) return kind
  // A copy from before errors had a kind marks their classes, and the errors have their exit code.
  const isMarked = typeof thrown.constructor === 'function' && mark in thrown.constructor
  return isMarked && 'exitCode' in thrown ? kindBefore(thrown.exitCode, codeOf(thrown)) : undefined
}

const kinds: readonly unknown[] = [
  'usage',
  'configuration',
  'transient',
  'refused',
  'outbox',
  'input',
  'interrupted',
] satisfies ErrorKind[]
const isKind = (value: unknown): value is ErrorKind => kinds.includes(value)

function kindBefore(exitCode: unknown, code: string): ErrorKind | undefined {
  if (exitCode === exitCodes.notDelivered) return code === 'REFUSED' ? 'refused' : 'transient'
  return exitCode === exitCodes.configuration ? 'configuration' : undefined
}

/** Whether an error was raised on purpose, by this copy of owm or by a plugin's own; with `code`, that very error. */
export const isOwmError = (thrown: unknown, code?: string): thrown is OwmError =>
  errorKindOf(thrown) !== undefined && (code === undefined || codeOf(thrown) === code)

/** Milliseconds for which the other side asked to be left alone; 0 where it didn't. */
export const retryAfterOf = (thrown: unknown): number =>
  isOwmError(thrown) && 'retryAfterMs' in thrown && typeof thrown.retryAfterMs === 'number' ? thrown.retryAfterMs : 0

/** An error in words, with the next step where it names one. */
export function withHint(thrown: unknown): string {
  const error = toError(thrown)
  return inOneText(error.message, isOwmError(error) ? error.hint : undefined)
}

/** What was thrown, as an error: anything can be thrown in JavaScript. */
export function toError(thrown: unknown): Error {
  try {
    // Both may throw: a getter, a proxy that was revoked, an object that no text can be made of.
    if (thrown instanceof Error && typeof thrown.message === 'string') return thrown
    if (typeof thrown !== 'object' || thrown === null) return new Error(String(thrown))
    const [code, message] = [Reflect.get(thrown, 'code'), Reflect.get(thrown, 'message')]
    const known = [code, message].filter((word) => typeof word === 'string' && word !== '').join(': ')
    return new Error(known === '' ? 'an object was thrown that is no error' : known, { cause: thrown })
  } catch {
    return new Error('what was thrown has no words: reading it throws')
  }
}

/** The `code` of an error of owm, the system or a driver ('' where it has none). */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
}

/** Whether a disk had no room for a file, or failed: no other setting mends that. */
export const isOfDisk = (thrown: unknown): boolean => ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'].includes(codeOf(thrown))

/** Not CERT_NOT_YET_VALID: that passes, often as soon as a clock has been set. */
const certificateCodes = new Set([
  'CA_KEY_TOO_SMALL',
  'CA_MD_TOO_WEAK',
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'EE_KEY_TOO_SMALL',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** Whether a TLS certificate wasn't trusted: no retry helps. */
export const isDistrusted = (thrown: unknown): boolean => certificateCodes.has(codeOf(thrown))

/** More locations came than `source.maxLocations` allows. */
export const endlessSource = (name: string, maxLocations: number): ConfigurationError =>
  new ConfigurationError(`The source ${name} gave more than ${maxLocations} locations: it may never end.`, {
    hint: 'If there are really so many, raise source.maxLocations.',
  })
