/**
 * Every error that owm raises on purpose, with its exit code.
 *
 * How an error is handled depends on its kind, which is data on the error: `transient` is retried, `refused` makes
 * the task a dead letter, `configuration` stops at once. Unknown errors count as transient: a retry does no harm,
 * giving up might.
 */

/** Exit codes; those of sysexits.h where it has one. */
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

const kinds = ['usage', 'configuration', 'transient', 'refused', 'outbox', 'input', 'interrupted'] as const
type ErrorKind = (typeof kinds)[number]

/** The key of an error's kind: the same in every copy of owm, since a plugin often brings its own copy. */
const mark = Symbol.for('owm.error')

interface OwmErrorOptions {
  /** What the operator should do next: one sentence. */
  hint?: string
  cause?: unknown
}

/** The base of all errors whose message is meant for operators. */
export abstract class OwmError extends Error {
  /** Older copies of owm look for the mark on the class. */
  static readonly [mark] = true
  abstract readonly [mark]: ErrorKind
  /** Stable, in upper case, for programs: `error.code` in `--json`. */
  abstract readonly code: string
  abstract readonly exitCode: number
  readonly hint: string | undefined

  constructor(message: string, options: OwmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.hint = options.hint
  }
}

/** A message and its hint, if there is one, as one text. */
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
  /** The section of the configuration that is wrong, such as `source`, if it is known. */
  readonly section: string | undefined

  constructor(message: string, { section, ...options }: OwmErrorOptions & { section?: string | undefined } = {}) {
    super(message, options)
    this.section = section
  }
}

/** Several settings are wrong: the message lists them. */
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

/** Each of the mistakes if there are several, else the error itself. */
export const mistakesIn = (error: OwmError): readonly OwmError[] =>
  error instanceof ConfigurationErrors ? error.all : [error]

/** It may work next time: retried, then left in the outbox. */
export class TransientError extends OwmError {
  override readonly [mark] = 'transient'
  override readonly code: string = 'NOT_HANDED_OVER'
  override readonly exitCode = exitCodes.notDelivered
  /**
   * Milliseconds that the other side asked to wait before a retry. Infinity if only another start can help: then there
   * is no retry, and the circuit stays as it is.
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

/** A source failed, retries included; the next start continues where it stopped. */
export class SourceError extends TransientError {
  override readonly code = 'SOURCE'
}

/** A source can't continue from its checkpoint, as its list has changed: it is read from the start, nothing twice. */
export class ResumePointError extends TransientError {
  override readonly code = 'RESUME_POINT'
}

/** The circuit is open: no call was made. */
export class CircuitOpenError extends TransientError {
  override readonly code = 'CIRCUIT_OPEN'
}

/** The sink has reached its configured bound: the rest stays in the outbox. */
export class SinkFullError extends TransientError {
  override readonly code = 'SINK_FULL'
}

/** Another process holds this outbox. */
export class OutboxBusyError extends TransientError {
  override readonly code = 'OUTBOX_BUSY'
}

/** A batch doesn't follow the last task that the sink took: the relay compares with the sink, then continues. */
export class ChangedError extends TransientError {
  override readonly code = 'CHANGED'
}

/** Another process or a copy of the outbox has attached to the sink, or another one took the outbox: this one stops. */
export class SupersededError extends TransientError {
  override readonly code = 'SUPERSEDED'
}

/** The sink lost tasks that the history can't replace. */
export class SinkLostError extends TransientError {
  override readonly code = 'SINK_LOST'
}

/** Outbox, receipt, sink and source disagree about a slot. */
export class DifferentError extends TransientError {
  override readonly code = 'DIFFERENT'
}

/** The sink will never take this batch as it is: it is delivered in halves, down to single tasks. */
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

/** The list can't be used, or locations were rejected and `--strict` makes that an error. */
export class InputRejectedError extends OwmError {
  override readonly [mark] = 'input'
  override readonly code = 'INPUT_REJECTED'
  override readonly exitCode = exitCodes.inputRejected
}

/** A plan exceeds a limit of the weather API, and `--check` makes that an error. */
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

/** The kind of an error that any copy of owm raised; undefined for other errors. */
export function errorKindOf(thrown: unknown): ErrorKind | undefined {
  if (!(thrown instanceof Error)) return undefined
  const marked: unknown = mark in thrown ? thrown[mark] : undefined
  const kind = kinds.find((one) => one === marked)
  if (kind !== undefined) return kind
  // In older versions errors had no kind: their classes are marked, and they have an exit code.
  const isMarked = typeof thrown.constructor === 'function' && mark in thrown.constructor
  return isMarked && 'exitCode' in thrown ? kindByExitCode(thrown.exitCode, codeOf(thrown)) : undefined
}

function kindByExitCode(exitCode: unknown, code: string): ErrorKind | undefined {
  if (exitCode === exitCodes.notDelivered) return code === 'REFUSED' ? 'refused' : 'transient'
  return exitCode === exitCodes.configuration ? 'configuration' : undefined
}

/** Whether an error was raised on purpose, by this copy of owm or a plugin's; with `code`, whether it is that one. */
export const isOwmError = (thrown: unknown, code?: string): thrown is OwmError =>
  errorKindOf(thrown) !== undefined && (code === undefined || codeOf(thrown) === code)

/** Milliseconds that the other side asked to wait; 0 if it didn't. */
export const retryAfterOf = (thrown: unknown): number =>
  isOwmError(thrown) && 'retryAfterMs' in thrown && typeof thrown.retryAfterMs === 'number' ? thrown.retryAfterMs : 0

/** An error's message, and its hint if it has one. */
export function withHint(thrown: unknown): string {
  const error = toError(thrown)
  return inOneText(error.message, isOwmError(error) ? error.hint : undefined)
}

/** What was thrown, as an Error: JavaScript can throw anything. */
export function toError(thrown: unknown): Error {
  try {
    // Reading it may throw: a getter, a revoked proxy, an object that can't be converted to text.
    if (thrown instanceof Error && typeof thrown.message === 'string') return thrown
    if (typeof thrown !== 'object' || thrown === null) return new Error(String(thrown))
    const [code, message] = [Reflect.get(thrown, 'code'), Reflect.get(thrown, 'message')]
    const known = [code, message].filter((word) => typeof word === 'string' && word !== '').join(': ')
    return new Error(known === '' ? 'an object was thrown that is no error' : known, { cause: thrown })
  } catch {
    return new Error('what was thrown has no words: reading it throws')
  }
}

/** The `code` of an error of owm, the system or a driver; '' if it has none. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
}

/** Whether a disk was full or failed: no setting fixes that. */
export const isOfDisk = (thrown: unknown): boolean => ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'].includes(codeOf(thrown))

/** Without CERT_NOT_YET_VALID: that passes, often as soon as the clock is set. */
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

/** Whether a TLS certificate isn't trusted: a retry can't help. */
export const isDistrusted = (thrown: unknown): boolean => certificateCodes.has(codeOf(thrown))

/** The error of a source that gave more locations than `source.maxLocations`. */
export const endlessSource = (name: string, maxLocations: number): ConfigurationError =>
  new ConfigurationError(`The source ${name} gave more than ${maxLocations} locations: it may never end.`, {
    hint: 'If there are really so many, raise source.maxLocations.',
  })
