/** Prints a command's summary, errors and logs, with secrets masked. */
import {
  exitCodes,
  InterruptedError,
  isOwmError,
  mistakesIn,
  type OwmError,
  toError,
  UsageError,
} from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { ofSurroundings } from '../errors/surroundings.js'
import type { logEvents } from '../observe/events.js'
import { jsonLog, type LogFormat, type LogLevel, lineInJson, logLevels, wordsLog } from '../observe/log.js'
import type { Progress } from '../pipeline/parts.js'
import type { Logger } from '../plugin.js'
import { count, harmless, harmlessJson } from './format.js'
import { hasColors, painted, secrets } from './output.js'

/** The signal that came, if one did. */
export type Received = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | undefined

/** What a program that reads the log learns from a note. */
export interface NoteFields {
  readonly event: keyof typeof logEvents
  readonly [field: string]: unknown
}

interface Manner {
  level: LogLevel
  /** The result is printed as JSON. */
  isJson: boolean
  /** Print nothing but errors and JSON. */
  quiet?: boolean
  /** Of the logs, by a flag. */
  format?: LogFormat | undefined
}

/** Whether the result is wanted as JSON; behind `--` nothing is a flag. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? args.length : end).includes('--json')
}

export class Report {
  readonly bar: ProgressBar
  /** Set if tasks or records go to standard output. */
  summaryToStandardError = false
  /** Of the logs, without a flag. */
  logFormat: LogFormat
  /** Fields added to each JSON log line: run, slot and trace. */
  about: Readonly<Record<string, string>> = { event: 'plugin' }
  readonly #manner: Manner
  #log: Logger | undefined

  constructor(manner: Manner) {
    const { isJson, quiet } = manner
    this.#manner = manner
    this.logFormat = isJson ? 'json' : 'words'
    this.bar = new ProgressBar(process.stderr.isTTY && !isJson && !quiet && process.env['TERM'] !== 'dumb')
  }

  /** @param matters print it even with --quiet, such as before an error */
  summary(lines: readonly string[], matters: boolean): void {
    if (this.#manner.quiet && !matters) return
    const stream = this.summaryToStandardError ? process.stderr : process.stdout
    for (const line of lines) writeLine(stream, line)
  }

  /** The result as JSON, with its error, if any. */
  json(result: object, error: Error | undefined, isOneLine = false): void {
    const output = error
      ? { ...result, error: { code: codeIn(error), message: error.message, hint: hintOf(error) } }
      : result
    // Marks the digits of a bigint, which JSON.stringify rejects, until the quotes around them are removed.
    const digits = `digits ${crypto.randomUUID()} `
    // Values only: a secret that happens to read "sink" must not rename a key.
    const clean = (_: string, value: unknown): unknown => {
      if (typeof value === 'bigint') return `${digits}${value}`
      return typeof value === 'string' ? secrets.redact(value) : value
    }
    const json = JSON.stringify(output, clean, isOneLine ? 0 : 2).replace(new RegExp(`"${digits}(-?\\d+)"`, 'g'), '$1')
    process.stdout.write(`${harmlessJson(json)}\n`)
  }

  /**
   * Prints errors and their hints to standard error, in words or one line of JSON each. Errors of one cause are printed
   * once, with their number.
   */
  errors(errors: readonly Error[]): void {
    const groups = new Map<string, { error: Error; times: number }>()
    for (const error of errors) {
      const cause = error.cause === undefined ? error : toError(error.cause)
      const key = [codeIn(error), hintOf(error), cause.message].join('\n')
      const { error: first, times } = groups.get(key) ?? { error, times: 0 }
      groups.set(key, { error: first, times: times + 1 })
    }
    const { level, format = this.logFormat } = this.#manner
    const isTraced = ['debug', 'trace'].includes(level)
    for (const { error, times } of groups.values()) {
      if (format === 'json') {
        this.#errorInJson(error, times, isTraced)
        continue
      }
      const [head = '', ...rest] = linesOf(error)
      for (const line of [times > 1 ? `${head} (and ${times - 1} more like it)` : head, ...rest])
        writeLine(process.stderr, line)
      if (isTraced) for (const line of traceOf(error).split('\n')) writeLine(process.stderr, `     ${line}`)
    }
  }

  /** A line of the log. Secrets are masked by the guard around standard error. */
  #errorInJson(error: Error, times: number, isTraced: boolean): void {
    const fields = {
      ...this.about,
      event: 'command-failed',
      code: codeIn(error),
      exitCode: exitCodeOf(error),
      hint: hintOf(error),
      ...(times > 1 ? { times } : {}),
      ...(isTraced ? { stack: traceOf(error) } : {}),
    }
    process.stderr.write(harmlessJson(lineInJson('error', fields, error.message)))
  }

  /** Prints a line that is neither result nor error: in words, or as a line of a JSON log, at `info`. */
  note(text: string, fields: NoteFields = { event: 'note' }): void {
    const { isJson, quiet, level, format = this.logFormat } = this.#manner
    if (isJson || quiet) return
    this.bar.clear()
    if (format !== 'json') writeLine(process.stderr, `owm: ${text}`)
    else if (logLevels.indexOf(level) >= logLevels.indexOf('info'))
      process.stderr.write(harmlessJson(lineInJson('info', { ...this.about, ...fields }, text)))
  }

  /** Logs to standard error, in words or as JSON. */
  async logger(): Promise<Logger> {
    const { level, format = this.logFormat } = this.#manner
    const write = (line: string): void => {
      this.bar.clear()
      if (format === 'json') process.stderr.write(harmlessJson(line))
      else writeLine(process.stderr, line)
    }
    this.#log ??= format === 'json' ? await jsonLog(level, write, () => this.about) : wordsLog(level, write)
    return this.#log
  }
}

function writeLine(stream: NodeJS.WriteStream, line: string): void {
  const text = harmless(secrets.redact(line))
  stream.write(`${hasColors(stream) ? painted(text) : text}\n`)
}

/** An error and its hint. Continuation lines are indented, so that none can pass for an error of its own. */
function linesOf(error: Error): string[] {
  const hint = hintOf(error)
  const isSeveral = isOwmError(error) && mistakesIn(error).length > 1
  const [first = '', ...rest] = error.message.split('\n')
  const more = rest.map((line) => (isSeveral && line.startsWith('- ') ? line : `     ${line}`))
  return [`owm: ${first}`, ...more, ...(hint === '' ? [] : [`     ${hint}`])]
}

/** The error that a command ends with: the signal, or else the worst of its errors. */
export const endOf = (errors: readonly OwmError[], received: Received): OwmError | undefined =>
  received ? new InterruptedError(received) : worst(errors)

/** The same for a command that threw: the signal replaces transient errors and faults, but not, say, a full disk. */
export function endOfThrown(thrown: Error, received: Received, hint?: string): Error {
  const isReplaced = !isOwmError(thrown) || thrown.exitCode === exitCodes.notDelivered
  return received && isReplaced ? new InterruptedError(received, hint) : thrown
}

/** The error that decides the exit code: permanent errors come before transient ones. */
export function worst(errors: readonly OwmError[]): OwmError | undefined {
  const order: readonly number[] = [exitCodes.configuration, exitCodes.outbox, exitCodes.notDelivered]
  const rank = (error: OwmError): number => (order.indexOf(error.exitCode) + order.length + 1) % (order.length + 1)
  return errors.toSorted((a, b) => rank(a) - rank(b))[0]
}

/** Always a documented code: a plugin may have made up its own. */
export function exitCodeOf(error: Error): number {
  const known: readonly number[] = Object.values(exitCodes)
  return isOwmError(error) && known.includes(error.exitCode) ? error.exitCode : exitCodes.internal
}

const codeIn = (error: Error): string => (isOwmError(error) ? error.code : 'INTERNAL')

const hintOf = (error: Error): string =>
  isOwmError(error)
    ? (error.hint ?? '')
    : 'This is a fault of owm or of a plugin: run again with --log-level debug, and report what it prints.'

/**
 * Rewrites oclif's errors about flags and arguments, and errors of the environment; any other stays as it is.
 * @param flags the command's, for a suggestion
 */
export function inWords(error: Error, id: string, flags: readonly string[]): Error {
  if (isOwmError(error)) return error
  if (!('oclif' in error)) return ofSurroundings(error)
  const message = error.message
    .replace(/\s*See more help with --help\s*$/, '')
    .replace(/\s+/g, ' ')
    .replace(/^The following errors? occurred: /, '')
    .replace(/ Note: --\S+ allows multiple values\..*/, '')
    .replace(/^Missing required flag /, 'Missing required flag --')
  const [, unknown = ''] = /^Nonexistent flags?: --([^\s,=]+)/.exec(message) ?? []
  const near = unknown === '' ? undefined : nearest(unknown, flags)
  const command = ['owm', ...id.split(':').filter(Boolean)].join(' ')
  const list = `\`${command} --help\` lists the ${id === '' ? 'commands' : 'flags'}.`
  // An unexpected date is most likely the slot's.
  const isSlot = flags.includes('slot') && /^Unexpected argument: \d{4}-\d\d-\d\d/.test(message)
  const flag = near ?? (isSlot ? 'slot TIME' : undefined)
  const meant = flag === undefined ? '' : `Did you mean \`--${flag}\`? `
  return new UsageError(message, { hint: `${meant}${list}`, cause: error })
}

function traceOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by ${traceOf(toError(error.cause))}`
}

/** One line on standard error that is overwritten; disabled without a terminal. */
class ProgressBar {
  readonly #started = Date.now()
  readonly #enabled: boolean
  #last = 0

  constructor(enabled: boolean) {
    this.#enabled = enabled
  }

  update = (progress: Progress): void => {
    const now = Date.now()
    if (!this.#enabled || now - this.#last < 100) return
    this.#last = now
    const { read, delivered, total } = progress
    const rate = Math.round((delivered || read) / Math.max(0.001, (now - this.#started) / 1000))
    const share = total ? Math.min(1, delivered / total) : undefined
    const bar =
      share === undefined
        ? ''
        : `[${'#'.repeat(Math.round(share * 20)).padEnd(20, '.')}] ${Math.floor(share * 100)} %  `
    process.stderr.write(`\r\u001b[K${bar}${count(read)} read, ${count(delivered)} delivered, ${count(rate)}/s`)
  }

  /** Erases the line before other output. */
  clear(): void {
    if (this.#enabled && this.#last > 0) process.stderr.write('\r\u001b[K')
  }
}
