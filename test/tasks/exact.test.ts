/** Numbers without loss: from JSON's text to a task's. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { taskMaker } from '../../src/tasks/encode.js'
import { ExactNumber, exactJson, numberOf } from '../../src/tasks/json/exact.js'
import { Rejection } from '../../src/tasks/rejection.js'

describe('a number in JSON', () => {
  it.each<[text: string, number: number | bigint | ExactNumber]>([
    ['0', 0],
    ['-0', -0],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740992', 9_007_199_254_740_992],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['1161888007138312192', 1_161_888_007_138_312_192n],
    ['-1161888007138312199', -1_161_888_007_138_312_199n],
    ['1000000000000000000000', 1e21],
    ['1234567890123456774144', 1_234_567_890_123_456_774_144n],
    ['46.94812345678901', 46.94812345678901],
    ['52.517036500000001', 52.5170365],
    ['0.1234567890123456789', new ExactNumber('0.1234567890123456789')],
    ['12345678901234567890e0', new ExactNumber('12345678901234567890e0')],
    ['1.0', 1],
    ['1e3', 1000],
    ['1e-400', new ExactNumber('1e-400')],
    ['1e400', Number.POSITIVE_INFINITY],
    ['-1e400', Number.NEGATIVE_INFINITY],
    ['0e400', 0],
  ])('%s', (text, number) => {
    expect(numberOf(text)).toEqual(number)
  })

  it('stays what it is today where a double holds it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger()), (value) => {
        const text = JSON.stringify(value)
        expect(exactJson(numberOf(text))).toBe(text)
      }),
      { numRuns: 5_000 },
    )
  })

  it('keeps all digits of a whole number, however long', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (value) => {
        expect(BigInt(exactJson(numberOf(String(value)))?.replace(/^(-?\d)\.?(\d*)e\+(\d+)$/, power) ?? '')).toBe(value)
      }),
      { numRuns: 5_000 },
    )
  })
})

const power = (_: string, first: string, more: string, exponent: string): string =>
  `${first}${more.padEnd(Number(exponent), '0')}`

describe('JSON of exact numbers', () => {
  it('is what JSON.stringify gives, where there are none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(exactJson(value)).toBe(JSON.stringify(value))
      }),
    )
    for (const value of [undefined, [undefined, () => 1], { a: undefined, b: new Date(0) }, new Date(0)])
      expect(exactJson(value)).toBe(JSON.stringify(value))
  })

  it('has them at any depth', () => {
    expect(exactJson({ id: 9_007_199_254_740_993n, of: [{ area: new ExactNumber('0.10000000000000000001') }] })).toBe(
      '{"id":9007199254740993,"of":[{"area":0.10000000000000000001}]}',
    )
  })
})

describe('a task', () => {
  const make = taskMaker('2026-11-23T10:00:00Z')
  const berlin = { latitude: 52.52, longitude: 13.405, city: 'Berlin' }

  it('holds the digits of its id and extras', () => {
    const task = make({ ...berlin, id: 1_161_888_007_138_312_199n, parent: 9_007_199_254_740_993n, of: [2n ** 64n] })
    expect(task).toMatch(/"location_id":1161888007138312199,"parent":9007199254740993,"of":\[18446744073709551616\]}$/)
  })

  it('has another id for each of two long ids', () => {
    const ids = [1_161_888_007_138_312_192n, 1_161_888_007_138_312_199n].map((id) => {
      const task = make({ ...berlin, id })
      return task instanceof Rejection ? task.reason : task.slice(0, 50)
    })
    expect(new Set(ids).size).toBe(2)
  })

  it('has text where the city or the state is a number', () => {
    const task = make({ ...berlin, city: 1770, state: 9_007_199_254_740_993n })
    expect(task).toContain('"city":"1770","state":"9007199254740993"')
  })

  it('reads coordinates of any precision', () => {
    const task = make({ ...berlin, latitude: new ExactNumber('52.519999999999999999999'), longitude: 13n })
    expect(task).toContain('"latitude_deg":52.52,"longitude_deg":13,')
  })

  it('leaves out NaN, which is no value', () => {
    expect(make({ ...berlin, height: Number.NaN })).not.toContain('height')
  })

  it('keeps a key of the location that has the name of one of its own, under another name', () => {
    const given = { ...berlin, id: 7, task_id: 'mine', location_id: 'LOC-7', latitude_deg: 1 }
    expect(JSON.parse(String(make(given)))).toMatchObject({
      location_id: 7,
      original_task_id: 'mine',
      original_location_id: 'LOC-7',
      original_latitude_deg: 1,
    })
  })
})
