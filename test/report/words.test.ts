import { expect, test } from 'vitest'
import { position, share } from '../../src/report/page/words.js'

test.each([
  [0, 0, '0 %'],
  [0, 7, '0 %'],
  [1, 3, '33.3 %'],
  [998, 1_000, '99.8 %'],
  [99_999, 100_000, '99.9 %'],
  [299_999_999, 300_000_000, '99.9 %'],
  [100_000, 100_000, '100 %'],
])('%i of %i is %s: only all of it is 100 %', (part, all, words) => {
  expect(share(part, all)).toBe(words)
})

test('a position has four decimals', () => {
  expect(position(12.345678, -8.5)).toBe('12.3457° N, 8.5° W')
})
