/** Answers with a good status that are errors, in the usual forms; and good ones that look a little like errors. */
import { expect, test } from 'vitest'
import { refusalIn } from '../../../src/sources/signs/refusal.js'

test.each<[body: object, says: string]>([
  [{ status: 'OVER_QUERY_LIMIT', error_message: 'quota', results: [] }, 'OVER_QUERY_LIMIT: quota'],
  [{ meta: { status: 429, error: 'too many' }, data: [] }, '429: too many'],
  [{ result: 'fail', reason: 'quota', data: [] }, 'quota'],
  [{ Response: 'False', Error: 'limit', Search: [] }, 'limit'],
  [{ errorCode: 'E17', errorMessage: 'quota', results: [] }, 'quota'],
  [{ fault: { faultstring: 'quota' }, items: [] }, 'quota'],
  [{ status: { message: 'the hourly limit has been exceeded', value: 19 } }, 'the hourly limit has been exceeded'],
  [{ elements: [{}], remark: 'runtime error: Query timed out' }, 'runtime error: Query timed out'],
  [{ statusCode: '503', items: [] }, '503'],
])('%j', (body, says) => {
  expect(refusalIn(body, undefined)?.said).toBe(says)
})

test.each([
  { status: 'OK', code: 200, success: true, error: null, errors: [], message: 'fine', data: [] },
  { error: 0, errorCode: '0', errorMessage: 'none', data: [] },
  { status: { code: 200, message: 'OK' }, data: [] },
  { status: 'ok', result: 'success', data: [] },
  { meta: { status: 200, total: 5 }, results: [] },
  { message: 'no more results', data: [] },
  { header: { value: 3 }, info: { message: 'hello' }, remark: 'thank you', data: [] },
])('a good answer: %j', (body) => {
  expect(refusalIn(body, undefined)).toBeUndefined()
})
