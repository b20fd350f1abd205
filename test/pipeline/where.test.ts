import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conditionsOf } from '../../src/config/filters.js'
import { conditions } from '../../src/config/schema.js'
import { FieldCheck } from '../../src/pipeline/input/filters/field-check.js'
import { type Filters, sourceDigest } from '../../src/pipeline/input/filters/filters.js'
import { matcher, type Test, type Values, type Where } from '../../src/pipeline/input/filters/where.js'
import type { Location, Logger } from '../../src/plugin.js'
import { ExactNumber } from '../../src/tasks/json/exact.js'

/** The rules of the documentation, as plainly as they can be written. */
function meets(wanted: Values | Test, value: unknown): boolean {
  const isThere = value !== undefined && value !== null && value !== ''
  const text = !isThere ? '' : typeof value === 'object' && !(value instanceof ExactNumber) ? undefined : String(value)
  const isOneOf = (values: Values): boolean => text !== undefined && values.includes(text)
  if ('length' in wanted) return isOneOf(wanted)
  const isNumeric = typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber
  const isDecimal = typeof value === 'string' && /^\s*[-+]?(\d+|\d+\.\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)
  const number = isNumeric || isDecimal ? Number(value) : Number.NaN
  for (const [operator, bound] of Object.entries(wanted)) {
    if (operator === 'in' && !isOneOf(bound)) return false
    if (operator === 'not' && isOneOf(bound)) return false
    if (operator === 'exists' && isThere !== bound) return false
    if (['gte', 'gt', 'lte', 'lt'].includes(operator) && !Number.isFinite(number)) return false
    if (operator === 'gte' && !(number >= bound)) return false
    if (operator === 'gt' && !(number > bound)) return false
    if (operator === 'lte' && !(number <= bound)) return false
    if (operator === 'lt' && !(number < bound)) return false
  }
  return true
}

const bound = fc.constantFrom(-1.5, 0, 1, 5, 1e6)
const values = fc.array(fc.constantFrom('', 'A', 'B', '5', '5.0', 'true', '[object Object]'), { minLength: 1 })
const wanted: fc.Arbitrary<Values | Test> = fc.oneof(
  values,
  fc.record(
    { gte: bound, gt: bound, lte: bound, lt: bound, in: values, not: values, exists: fc.boolean() },
    { requiredKeys: [] },
  ),
)
const value = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, '', ' ', 'A', 'B', true, {}, [], ['A'], new Date(5), 5n, 10n ** 30n),
  fc.constantFrom<unknown>('5', ' 5.0', '+5', '.5', '5.', '5e0', '-1.5', '1e6', '1000000', new ExactNumber('5.0')),
  fc.constantFrom<unknown>('0x5', '1,000', '1 000', '5 m', '5e', '.', '1e999', '-', '٥', 'NaN', 'Infinity'),
  fc.constantFrom<unknown>(Number.NaN, Infinity, -Infinity, -0),
  bound,
  fc.anything(),
)

describe('a location meets its conditions', () => {
  it('as a plain implementation of the documentation has it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b'), wanted), value, value, (where, a, b) => {
        const fields = Object.entries(where)
        const location = { a, b }
        const expected = fields.every(([field, one]) => meets(one, field === 'a' ? a : b))
        expect(matcher(where)(location)).toBe(expected)
      }),
      { numRuns: 3_000 },
    )
  })

  it('of `in` or of `not`, never of both and never of neither', () => {
    fc.assert(
      fc.property(values, value, (list, a) => {
        const [isIn, isNot, isEqual] = [{ in: list }, { not: list }, list].map((one) => matcher({ a: one })({ a }))
        expect({ isNot, isEqual }).toEqual({ isNot: !isIn, isEqual: isIn })
      }),
      { numRuns: 1_000 },
    )
  })

  it.each<[Where[string], unknown[], unknown[]]>([
    [
      { gte: 1_000_000 },
      [1_000_000, '1000000', ' 1e6 ', 10n ** 20n],
      [999_999, '1,000,000', '1.000.000', '', null, {}],
    ],
    [{ gt: 5, lte: 7 }, ['5.01', 7], [5, '7.01', 'six', true]],
    [{ lt: 0 }, ['-0.5', -1e300], [0, -0, '', undefined, '-1 m', -Infinity]],
    [{ not: ['X', 'Y'] }, ['Z', '', undefined, {}, 'x'], ['X', 'Y']],
    [{ not: [''] }, ['Z', 0, false, []], ['', null, undefined]],
    [{ exists: true }, ['Z', 0, false, {}, ' '], ['', null, undefined]],
    [{ exists: false }, ['', null, undefined], ['Z', 0, false, {}]],
    [{ in: ['5', 'true'], gte: 5 }, [5, '5'], ['5.0', true]],
  ])('%j', (test, inside, outside) => {
    const matches = matcher({ a: test })
    expect({ inside: inside.filter((a) => !matches({ a })), outside: outside.filter((a) => matches({ a })) }).toEqual({
      inside: [],
      outside: [],
    })
    expect(matches({})).toBe(matches({ a: undefined }))
  })
})

it('conditions without operators have the digest that they always had', () => {
  const { fields, bbox } = conditionsOf(conditions.parse({ country: ['DE', 5], open: true, bbox: [1, 2, 3, 4] }))
  const filters: Filters = { fields, bbox, sample: undefined, limit: 10, shard: undefined }
  expect(fields).toEqual({ country: ['DE', '5'], open: ['true'] })
  expect(sourceDigest('static-list', { file: 'a.csv' }, filters)).toBe('3788f076a1e09eefaf359bfdd82a07b3533aed70')
})

describe('the configuration', () => {
  it.each([
    { population: { gte: 1_000_000 }, country: ['DE', 'AT'], name: { not: ['X', 5] }, elevation: { exists: true } },
    { state: { in: 'A' }, size: { gt: -1, lt: 1e9, not: 7 }, a: { gte: 5, lte: 5 }, b: { not: '', exists: true } },
    {},
  ])('takes %j', (where) => {
    expect(conditions.safeParse(where)).toMatchObject({ success: true })
  })

  it.each([
    [{}, 'an operator is expected'],
    [{ gte: 'abc' }, 'expected number'],
    [{ lt: '2026-01-01' }, 'expected number'],
    [{ gte: Infinity }, 'expected number'],
    [{ in: [] }, 'expected array to have >=1 items'],
    [{ not: { gte: 5 } }, 'Invalid input'],
    [{ exists: 'yes' }, 'expected boolean'],
    [{ gte: 10, lt: 5 }, 'no number lies between its bounds'],
    [{ gt: 5, lte: 5 }, 'no number lies between its bounds'],
    [{ gte: 5, lt: 5 }, 'no number lies between its bounds'],
    [{ exists: false, gte: 5 }, 'with `exists: false` there is nothing else to ask for'],
    [{ gtee: 5 }, 'Unrecognized key: "gtee"'],
  ])('refuses %j', (test, message) => {
    const { error } = conditions.safeParse({ a: test })
    expect(JSON.stringify(error?.issues).replaceAll('\\"', '"')).toContain(message)
  })
})

it.each(['constructor', 'toString', '__proto__'])('%s is a field only where a location has it of its own', (field) => {
  const where: Where = Object.fromEntries([[field, { exists: true }]])
  const has = (given: Location): boolean => matcher(where)(given)
  expect(has({ city: 'A' })).toBe(false)
  expect(has(JSON.parse(`{"${field}": 1}`))).toBe(true)
  const log: Logger = { debug() {}, info() {}, warn() {}, error() {} }
  const check = new FieldCheck(where, 'source.where', log)
  check.note({ city: 'A' })
  expect(() => check.judge(true)).toThrow(`source.where: no location has ${field}.`)
})
