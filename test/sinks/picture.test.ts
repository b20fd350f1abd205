import { expect, it } from 'vitest'
import { idAfter, idBefore } from '../../src/sinks/redis-stream/picture.js'

const most = '18446744073709551615'

it.each([
  ['1700000000000-0', '1700000000000-1'],
  ['1700000000000-9', '1700000000000-10'],
  [`1700000000000-${most}`, '1700000000001-0'],
  ['0-0', '0-1'],
  // Beyond what a double tells apart.
  ['9007199254740993-9007199254740993', '9007199254740993-9007199254740994'],
])('behind %s is %s, and the other way round', (id, next) => {
  expect(idAfter(id)).toBe(next)
  expect(idBefore(next)).toBe(id)
})
