/** What a command prints: its summary, its errors and its logs, without secrets. */
import { randomUUID } from 'node:crypto'
import { exitCodes, isOwmError, type OwmError, toError, UsageError } from '../errors/index.js'
import { ofSurroundings } from '../errors/surroundings.js'
import type { Logger } from '../plugin.js'
import { harmless } from './format.js'
import { secrets } from './output.js'
import { ProgressBar } from './progress.js'

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof logLevels)[number]

/** Stands before the digits of a bigint, which JSON.stringify doesn't take, until they are a number again. */
const digits = `digits ${randomUUID()} `
const inDigits = new RegExp(`"${digits}(-?\\d+)"`, 'g')

export class Report {
  readonly bar: ProgressBar
  /** Where tasks go to standard output, the summary doesn't. */
  summaryToStandardError = false
  readonly #level: LogLevel
  #log: Logger | undefined

  constructor(level: LogLevel, isJson: boolean) {
    this.#level = level
    this.bar = new ProgressBar(process.stderr.isTTY && !isJson && process.env['TERM'] !== 'dumb')
  }

  summary(lines: readonly string[]): void {
    for (const line of lines) this.#write(this.summaryToStandardError ? process.stderr : process.stdout, line)
  }

  /** The result as JSON, with the error where there is one. */
  json(result: object, error: Error | undefined): void {
    const shown = error
      ? { ...result, error: { code: codeIn(error), message: error.message, hint: hintOf(error) } }
      : result
    // Value by value: a secret that happens to read "sink" must not rename a key.
    const clean = (_: string, value: unknown): unknown => {
      if (typeof value === 'bigint') return `${digits}${value}`
      return typeof value === 'string' ? secrets.redact(value) : value
    }
    process.stdout.write(`${JSON.stringify(shown, clean, 2).replace(inDigits, '$1')}\n`)
  }

  /** Errors on standard error, the first one first, each with its hint. */
  errors(errors: readonly Error[]): void {
    for (const error of errors) {
      for (const line of `owm: ${error.message}`.split('\n')) this.#write(process.stderr, harmless(line))
      if (hintOf(error) !== '') this.#write(process.stderr, harmless(`     ${hintOf(error)}`))
      if (['debug', 'trace'].includes(this.#level)) this.#write(process.stderr, traceOf(error))
    }
  }

  /** JSON lines on standard error. */
  async logger(): Promise<Logger> {
    if (this.#log) return this.#log
    const { default: pino } = await import('pino')
    const write = (line: string): void => {
      this.bar.clear()
      process.stderr.write(line)
    }
    this.#log ??= pino(
      { level: this.#level, base: { name: 'owm' }, timestamp: pino.stdTimeFunctions.isoTime },
      { write },
    )
    return this.#log
  }

  #write(stream: NodeJS.WriteStream, line: string): void {
    stream.write(`${secrets.redact(line)}\n`)
  }
}

/** The error that decides the exit code: what a retry can't help comes first. */
export function worst(errors: readonly OwmError[]): OwmError | undefined {
  const order: readonly number[] = [exitCodes.configuration, exitCodes.outbox, exitCodes.notDelivered]
  const rank = (error: OwmError): number => (order.indexOf(error.exitCode) + order.length + 1) % (order.length + 1)
  return errors.toSorted((a, b) => rank(a) - rank(b))[0]
}

/** Always one of the table: a plugin may have made the error. */
export function exitCodeOf(error: Error): number {
  const known: readonly number[] = Object.values(exitCodes)
  return isOwmError(error) && known.includes(error.exitCode) ? error.exitCode : exitCodes.internal
}

const codeIn = (error: Error): string => (isOwmError(error) ? error.code : 'INTERNAL')

const hintOf = (error: Error): string =>
  isOwmError(error)
    ? (error.hint ?? '')
    : 'This is a fault of owm or of a plugin: run again with --log-level debug, and report what it prints.'

/** What oclif says about flags and arguments, in one line; what the surroundings lack; any other error as it is. */
export function inWords(error: Error, id: string): Error {
  if (isOwmError(error)) return error
  if (!('oclif' in error)) return ofSurroundings(error)
  const message = error.message.replace(/\s*See more help with --help\s*$/, '').replace(/\s+/g, ' ')
  return new UsageError(message, { hint: `\`owm ${id.replaceAll(':', ' ')} --help\` lists the flags.`, cause: error })
}

function traceOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by ${traceOf(toError(error.cause))}`
}
