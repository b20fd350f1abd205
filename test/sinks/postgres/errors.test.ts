/** What an SQLSTATE means for a start. */
import { expect, test } from 'vitest'
import { classed, endsConnection, isAboutTasks, mayBeAboutTasks } from '../../../src/sinks/postgres/errors.js'

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

const idTaken = { code: '23505', schema: 'public', table: "o'p", detail: 'Schlüssel »(id)=(14)« existiert bereits.' }

test('an id that a row has already is the fault of the table: no task is refused for it', () => {
  const said = Object.assign(new Error('no'), idTaken)
  const hint = `SELECT setval(pg_get_serial_sequence('"public"."o''p"', 'id'), max(id)) FROM "public"."o'p"`
  expect(classed(said, 'PostgreSQL at h')).toMatchObject({ exitCode: 78, hint: expect.stringContaining(hint) })
  expect([isAboutTasks(said), mayBeAboutTasks(said), endsConnection(said)]).toEqual([false, false, false])
})

test('a sequence of ids that is at its end is the fault of the table, too', () => {
  const said = Object.assign(new Error('nextval: reached maximum value of sequence "t_id_seq" (1700)'), {
    code: '2200H',
  })
  expect(classed(said, 'PostgreSQL at h')).toMatchObject({ exitCode: 78, hint: expect.stringMatching(/NO MAXVALUE/) })
  expect([isAboutTasks(said), mayBeAboutTasks(said), endsConnection(said)]).toEqual([false, false, false])
})

test.each([
  ['of another column', { ...idTaken, detail: 'Key (city, id)=(Oslo, 14) already exists.' }],
  ["that a trigger's function writes", { ...idTaken, where: 'PL/pgSQL function f() line 1 at SQL statement' }],
])('a key %s may be refused for one task', (_, fields) => {
  expect(mayBeAboutTasks(Object.assign(new Error('no'), fields))).toBe(true)
})

test.each([
  ['operator does not exist: text = uuid', /compare them with the SQL/],
  ['function max(uuid) does not exist', /compare them with the SQL/],
  ['function graphile_worker.add_jobs(graphile_worker.job_spec[]) does not exist', /0\.16 or newer/],
])('%s', (message, hint) => {
  const said = Object.assign(new Error(message), { code: '42883' })
  expect(classed(said, 'PostgreSQL at h')).toMatchObject({ exitCode: 78, hint: expect.stringMatching(hint) })
})
