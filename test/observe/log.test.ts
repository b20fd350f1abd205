import { expect, it } from 'vitest'
import { type LogLevel, wordsLog } from '../../src/observe/log.js'

const circle: Record<string, unknown> = { name: 'round' }
circle['self'] = circle

function said(log: (words: ReturnType<typeof wordsLog>) => void, level: LogLevel = 'info'): string[] {
  const lines: string[] = []
  log(wordsLog(level, (line) => lines.push(line)))
  return lines
}

it.each<[string, object, string, string]>([
  ['a reason', { reason: 'timed out' }, 'failed', 'owm: warning: failed: timed out'],
  ['an error', { err: new Error('timed out') }, 'failed', 'owm: warning: failed: timed out'],
  ['a reason that is said already', { reason: 'timed out' }, 'it timed out', 'owm: warning: it timed out'],
  ['details', { event: 'x', attempt: 2, delayMs: 5 }, 'failed', 'owm: warning: failed (attempt 2, delay 5 ms)'],
  ['a detail that is said already', { file: 'a.csv' }, 'a.csv is empty', 'owm: warning: a.csv is empty'],
  ['what no line has room for', { at: { deep: 1 }, f() {}, none: undefined }, 'failed', 'owm: warning: failed'],
  ['what JSON does not know', { n: 10n, list: [1, circle] }, 'odd', 'owm: warning: odd (n 10, list [ 1, <ref *1>'],
])('%s', (_, fields, message, line) => {
  const [given, ...more] = said((log) => log.warn(fields, message))
  expect(given?.slice(0, line.length)).toBe(line)
  expect(more).toEqual([])
})

it('says what the level lets through', () => {
  const all = (log: ReturnType<typeof wordsLog>) => {
    for (const level of ['error', 'warn', 'info', 'debug'] as const) log[level]({}, level)
  }
  expect(said(all, 'silent')).toEqual([])
  expect(said(all, 'warn')).toEqual(['owm: error: error', 'owm: warning: warn'])
  expect(said(all, 'debug')).toEqual([...said(all, 'warn'), 'owm: info', 'owm: debug: debug'])
  expect(said(all, 'trace')).toEqual(said(all, 'debug'))
})

it('takes what a plugin in JavaScript gives that nobody checked: an error, or a message alone', () => {
  const lines = said((log) => {
    Reflect.apply(log.warn, log, [new Error('out of order')])
    Reflect.apply(log.warn, log, ['only %s', 'words'])
  })
  expect(lines).toEqual(['owm: warning: out of order', 'owm: warning: only words'])
})
