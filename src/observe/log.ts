/** The log: a line of words or of JSON each. */
import { format } from 'node:util'
import type { Logger } from '../plugin.js'

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof logLevels)[number]
export const logFormats = ['words', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

/** As JSON, by pino. `about`: what each line bears besides its own fields, asked for each. */
export async function jsonLog(level: LogLevel, write: (line: string) => void, about: () => object): Promise<Logger> {
  const { default: pino } = await import('pino')
  const timestamp = pino.stdTimeFunctions.isoTime
  const mixin = (): object => ({ ...about() }) // pino writes into it
  const log: Logger = pino({ level, base: { name: 'owm' }, timestamp, mixin }, { write })
  return log
}

/** An error's line as `jsonLog` writes it, but at once: one that ends the process can't wait until pino is loaded. */
export const errorInJson = (fields: object, msg: string): string =>
  `${JSON.stringify({ level: 50, time: new Date().toISOString(), name: 'owm', ...fields, msg })}\n`

/**
 * In words, and without pino, which would delay each start:
 * `owm: warning: a call failed and is tried again: timed out (around sink, attempt 1)`
 */
export function wordsLog(level: LogLevel, write: (line: string) => void): Logger {
  const at = (name: keyof Logger): ((fields: unknown, ...message: unknown[]) => void) =>
    logLevels.indexOf(name) > logLevels.indexOf(level)
      ? () => {}
      : (fields, ...message) => write(`owm: ${before[name]}${wordsOf(fields, message)}`)
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

const before: Readonly<Record<keyof Logger, string>> = {
  error: 'error: ',
  warn: 'warning: ',
  info: '',
  debug: 'debug: ',
}

/** @param given an object of fields; or, from a plugin that nobody checked, an error, or the message itself */
function wordsOf(given: unknown, message: readonly unknown[]): string {
  const isFields = typeof given === 'object' && given !== null
  const { reason, err, event, ...fields }: Record<string, unknown> =
    given instanceof Error ? { err: given } : isFields ? { ...given } : {}
  const cause = reason ?? (typeof err === 'object' && err !== null && 'message' in err ? err.message : undefined)
  const said = isFields ? format(...(message.length > 0 ? message : [shown(cause)])) : format(given, ...message)
  const isNew = (value: unknown): boolean =>
    (Array.isArray(value) || typeof value !== 'object') && !said.includes(shown(value))
  const inWords = ([key, value]: [string, unknown]): string =>
    key.endsWith('Ms') ? `${key.slice(0, -2)} ${shown(value)} ms` : `${key} ${shown(value)}`
  const details = Object.entries(fields).flatMap((field) => (isNew(field[1]) ? [inWords(field)] : []))
  return [
    said,
    cause === undefined || said.includes(shown(cause)) ? '' : `: ${shown(cause)}`,
    details.length === 0 ? '' : ` (${details.join(', ')})`,
  ].join('')
}

/** Whatever it is: a plugin's log line must not end its run. */
function shown(value: unknown): string {
  if (typeof value !== 'object') return typeof value === 'function' ? '' : String(value ?? '')
  try {
    return JSON.stringify(value)
  } catch {
    return format(value)
  }
}
