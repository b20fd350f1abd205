/** Degrees, minutes and seconds, as people and programs write them. */
import { expect, test } from 'vitest'
import { degreesOf, Unreadable } from '../../../src/sources/fields/degrees.js'

const read = (text: string, axis: 'latitude' | 'longitude', more: object = {}): unknown => {
  const value = degreesOf(text, axis, { dms: true, ...more })
  return value instanceof Unreadable ? 'unreadable' : value
}

test.each<[text: string, degrees: number]>([
  ['33°52\'10"S', -33.869444444],
  ['33 52 10 S', -33.869444444],
  ['S33 52 10', -33.869444444],
  ['33-52-10.00S', -33.869444444],
  ['-33:52:10', -33.869444444],
  ["33° 52' 10'' S", -33.869444444],
  ['33d52m10sS', -33.869444444],
  ['33 deg 52 min 10 sec S', -33.869444444],
  ['335210S', -33.869444444],
  ['3352S', -33.866666667],
  ["33° 52.5' S", -33.875],
  ['33° S', -33],
  ['33.5 S', -33.5],
  ['0030S', -0.5],
])('a latitude: %s', (text, degrees) => {
  expect(read(text, 'latitude')).toBe(degrees)
})

test.each<[text: string, degrees: number]>([
  ['151 12 30 W', -151.208333333],
  ['0073000W', -7.5],
  ['00730W', -7.5],
  ["W 7° 30'", -7.5],
])('a longitude: %s', (text, degrees) => {
  expect(read(text, 'longitude')).toBe(degrees)
})

test.each(['33 52 10 W', '33 60 10 S', 'N 33 52 10 S', '-33 52 10 S', '33.5 52 10 S', '00030S', '33,5° S'])(
  'no latitude: %s',
  (text) => {
    expect(read(text, 'latitude')).toBe('unreadable')
  },
)

test('a packed longitude with two digits of degrees, as AEMET has it: what it needs is told', () => {
  expect(degreesOf('082219W', 'longitude', { dms: true })).toMatchObject({
    reason: expect.stringContaining('has two digits of degrees'),
  })
  expect(degreesOf('431825N', 'longitude', { dms: true })).toMatchObject({
    reason: expect.stringContaining("isn't written as"),
  })
})

test('a small s behind a space may be seconds or south: it is neither', () => {
  expect(read('33 52 10 s', 'latitude')).toBe('33 52 10 s')
})

test('decimal commas in seconds', () => {
  expect(read('33° 52\' 10,5" S', 'latitude', { decimal: ',' })).toBe(-33.869583333)
})

test.each(['46,9°', "46° 57,1' N"])('a decimal comma without the option that reads it: %s', (text) => {
  expect(degreesOf(text, 'latitude', { dms: true })).toMatchObject({
    reason: expect.stringContaining('source.decimal'),
  })
})
