/** The log: one line per message, in words or as JSON. */
import { format } from 'node:util'
import type { Logger } from '../plugin.js'

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof logLevels)[number]
export const logFormats = ['words', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

/** As JSON, with pino. `about` is called for each line and gives more fields for it. */
export async function jsonLog(level: LogLevel, write: (line: string) => void, about: () => object): Promise<Logger> {
  const { default: pino } = await import('pino')
  const timestamp = pino.stdTimeFunctions.isoTime
  const mixin = (): object => ({ ...about() }) // a copy: pino writes into it
  const log: Logger = pino({ level, base: { name: 'owm' }, timestamp, mixin }, { write })
  return log
}

/** A line like those of `jsonLog`, but synchronous: a fatal error can't wait for pino to load. */
export function lineInJson(level: 'info' | 'error', fields: object, msg: string): string {
  const time = new Date().toISOString()
  return `${JSON.stringify({ level: level === 'info' ? 30 : 50, time, name: 'owm', ...fields, msg })}\n`
}

/**
 * In words, without pino, whose loading would delay each start:
 * `owm: warning: a call failed and is tried again: timed out (around sink, attempt 1)`
 */
export function wordsLog(level: LogLevel, write: (line: string) => void): Logger {
  const writerFor = (name: keyof Logger): ((fields: unknown, ...message: unknown[]) => void) =>
    logLevels.indexOf(name) > logLevels.indexOf(level)
      ? () => {}
      : (fields, ...message) => write(`owm: ${prefixes[name]}${messageInWords(fields, message)}`)
  return { error: writerFor('error'), warn: writerFor('warn'), info: writerFor('info'), debug: writerFor('debug') }
}

const prefixes: Readonly<Record<keyof Logger, string>> = {
  error: 'error: ',
  warn: 'warning: ',
  info: '',
  debug: 'debug: ',
}

/** @param given the fields; or, from a plugin without type checks, an error or the message itself */
function messageInWords(given: unknown, message: readonly unknown[]): string {
  const isFields = typeof given === 'object' && given !== null
  const { reason, err, event, ...fields }: Record<string, unknown> =
    given instanceof Error ? { err: given } : isFields ? { ...given } : {}
  const cause = reason ?? (typeof err === 'object' && err !== null && 'message' in err ? err.message : undefined)
  const said = isFields ? format(...(message.length > 0 ? message : [valueInWords(cause)])) : format(given, ...message)
  const isNew = (value: unknown): boolean =>
    (Array.isArray(value) || typeof value !== 'object') && !said.includes(valueInWords(value))
  const inWords = ([key, value]: [string, unknown]): string =>
    key.endsWith('Ms') ? `${key.slice(0, -2)} ${valueInWords(value)} ms` : `${key} ${valueInWords(value)}`
  const details = Object.entries(fields).flatMap((field) => (isNew(field[1]) ? [inWords(field)] : []))
  return [
    said,
    cause === undefined || said.includes(valueInWords(cause)) ? '' : `: ${valueInWords(cause)}`,
    details.length === 0 ? '' : ` (${details.join(', ')})`,
  ].join('')
}

/** Never throws: a plugin's log line must not fail its run. */
function valueInWords(value: unknown): string {
  if (typeof value !== 'object') return typeof value === 'function' ? '' : String(value ?? '')
  try {
    return JSON.stringify(value)
  } catch {
    return format(value)
  }
}
