/** An error's kind is data: it counts whichever copy of owm made the error. */
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  ConfigurationError,
  errorKindOf,
  InputRejectedError,
  isOwmError,
  OutboxError,
  RefusedError,
  ResumePointError,
  retryAfterOf,
  TransientError,
  toError,
  UsageError,
} from '../../src/errors/index.js'
import { isMalformed, Malformed } from '../../src/plugin.js'

const own = {
  ConfigurationError,
  InputRejectedError,
  OutboxError,
  RefusedError,
  ResumePointError,
  TransientError,
  UsageError,
}

/** The same module once more: nothing but its text is shared. */
async function copyOf<T>(path: string): Promise<T> {
  const url = pathToFileURL(new URL(path, import.meta.url).pathname)
  url.search = 'copy'
  return import(url.href)
}

it.each([
  [undefined, 'undefined'],
  ['text', 'text'],
  [{ code: 'ECONNREFUSED' }, 'ECONNREFUSED'],
  [{}, 'an object was thrown that is no error'],
  [Object.create(null), 'an object was thrown that is no error'],
  [
    Object.defineProperty(new Error(), 'message', {
      get() {
        throw new Error('boom')
      },
    }),
    'what was thrown has no words: reading it throws',
  ],
])('whatever is thrown has words', (thrown, words) => {
  expect(toError(thrown).message).toBe(words)
})

describe('an error of another copy of owm', () => {
  it.each([
    ['ConfigurationError', 'configuration'],
    ['TransientError', 'transient'],
    ['RefusedError', 'refused'],
    ['ResumePointError', 'transient'],
    ['OutboxError', 'outbox'],
    ['UsageError', 'usage'],
    ['InputRejectedError', 'input'],
  ] as const)('%s is %s', async (name, kind) => {
    const copy = await copyOf<typeof own>('../../src/errors/index.ts')
    expect(copy[name]).not.toBe(own[name])
    const foreign = new copy[name]('wrong', { hint: 'Fix it.' })
    expect(foreign).not.toBeInstanceOf(own[name])
    expect({ kind: errorKindOf(foreign), own: errorKindOf(new own[name]('wrong')) }).toEqual({ kind, own: kind })
    expect(isOwmError(foreign, foreign.code) && foreign.hint).toBe('Fix it.')
    expect(isOwmError(foreign, 'SOME_OTHER')).toBe(false)
  })

  it('keeps its time for a retry', async () => {
    const copy = await copyOf<typeof own>('../../src/errors/index.ts')
    expect(retryAfterOf(new copy.TransientError('later', { retryAfterMs: 700 }))).toBe(700)
    expect(retryAfterOf(new copy.TransientError('later'))).toBe(0)
    expect(retryAfterOf(Object.assign(new Error('not ours'), { retryAfterMs: 700 }))).toBe(0)
  })

  it('is of the kind of the class that it extends', () => {
    class Quota extends RefusedError {
      override readonly name = 'Quota'
    }
    expect(errorKindOf(new Quota('too many'))).toBe('refused')
  })

  it.each([
    [78, 'CONFIGURATION', 'configuration'],
    [75, 'NOT_HANDED_OVER', 'transient'],
    [75, 'RESUME_POINT', 'transient'],
    [75, 'REFUSED', 'refused'],
  ])('from before errors had a kind, exit code %i and code %s, is %s', (exitCode, code, kind) => {
    class Older extends Error {
      readonly exitCode = exitCode
      readonly code = code
    }
    Object.defineProperty(Older, Symbol.for('owm.error'), { value: true })
    expect(errorKindOf(new Older('wrong'))).toBe(kind)
  })
})

it.each([
  new Error('x'),
  Object.assign(new Error('x'), { exitCode: 78, code: 'CONFIGURATION' }),
  Object.assign(new Error('x'), { [Symbol.for('owm.error')]: 'whatever' }),
  { [Symbol.for('owm.error')]: 'configuration' },
  'configuration',
  null,
  undefined,
])('%s is no error of owm', (thrown) => {
  expect({ kind: errorKindOf(thrown), isOwm: isOwmError(thrown), message: toError(thrown).message }).toEqual({
    kind: undefined,
    isOwm: false,
    message: expect.any(String),
  })
})

it('a record that another copy of owm calls malformed is malformed', async () => {
  const copy = await copyOf<{ Malformed: typeof Malformed }>('../../src/plugin.ts')
  const foreign = new copy.Malformed('a,b', 'too short')
  expect(foreign).not.toBeInstanceOf(Malformed)
  expect([isMalformed(foreign), isMalformed(new Malformed('', '')), isMalformed({ value: '', reason: '' })]).toEqual([
    true,
    true,
    false,
  ])
})
