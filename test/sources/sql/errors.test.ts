/** What failures of the databases mean, and what to do about them. */
import { expect, test } from 'vitest'
import { classed } from '../../../src/sources/sql/errors.js'

test.each([
  ['an account that is locked', { errno: 4151, sqlState: 'HY000' }, /ACCOUNT UNLOCK/],
  ['a password that has expired', { errno: 1820, sqlState: 'HY000' }, /new password/],
  ['a view whose definer is gone', { errno: 1449, sqlState: 'HY000' }, /Give the view a user/],
  ["a letter that isn't UTF-8", { code: '22021' }, /convert_from\(convert_to\(city, 'SQL_ASCII'\), 'LATIN1'\)/],
  ['a file of another format', { code: 'SQLITE_NOTADB' }, /`use: static-list`/],
])('%s: 78, and what to do', (_, fields, hint) => {
  const error = Object.assign(new Error('no'), fields)
  expect(classed(error, { title: 'the database' })).toMatchObject({
    exitCode: 78,
    hint: expect.stringMatching(hint),
  })
})
