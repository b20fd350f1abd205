/** What an SQLSTATE means for a start. */
import { expect, test } from 'vitest'
import { classed, endsConnection } from '../../../src/sinks/postgres/errors.js'

test('what a pooler says of a server that is down passes, and ends the connection', () => {
  const said = Object.assign(new Error('server conn crashed?'), { code: '08P01' })
  expect(classed(said, 'PostgreSQL at h')).toMatchObject({ exitCode: 75, hint: expect.stringMatching(/a pooler/) })
  expect(endsConnection(said)).toBe(true)
})

test.each([
  ['23001', 78, /constraint/],
  ['23503', 78, /constraint/],
  ['23505', 78, /constraint/],
  ['23P01', 78, /constraint/],
  ['40001', 75, /Another transaction/],
  ['40P01', 75, /Another transaction/],
])('%s ends with %s', (code, exitCode, hint) => {
  const said = Object.assign(new Error('no'), { code })
  expect(classed(said, 'PostgreSQL at h')).toMatchObject({ exitCode, hint: expect.stringMatching(hint) })
})
