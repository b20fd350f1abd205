/** Nothing is cut to the room that there is. */
import { expect, it } from 'vitest'
import { Utf8 } from '../../src/tasks/bytes.js'
import { taskMaker } from '../../src/tasks/encode.js'
import { ExactNumber } from '../../src/tasks/json/exact.js'

const digits = (count: number): string => `1${'0'.repeat(count - 1)}`

it.each([
  ['a bigint', (text: string) => BigInt(text)],
  ['exact digits', (text: string) => new ExactNumber(text)],
])('an id in digits has at most 200 of them, as one in letters: %s', (_, number) => {
  const make = (count: number) =>
    taskMaker('2026-11-23T10:00:00Z')({ city: 'Berlin', latitude: 52.52, longitude: 13.405, id: number(digits(count)) })
  expect(make(200)).toContain(digits(200))
  for (const many of [201, 9_001, 600_000])
    expect(make(many)).toMatchObject({ reason: 'id has more than 200 characters' })
})

it('a NUL has no room in text or jsonb of PostgreSQL, wherever it stands; what only looks like one has', () => {
  const make = (more: object): unknown =>
    taskMaker('2026-11-23T10:00:00Z')({ city: 'Berlin', latitude: 52.52, longitude: 13.405, ...more })
  const nested = { tags: [{ 'a\0': 1 }] }
  for (const [key, more] of Object.entries({
    city: 'A\0',
    state: '\0',
    id: '\0x',
    county: 'a\0b',
    list: ['\0'],
    nested,
  }))
    expect(make({ [key]: more })).toMatchObject({ reason: `${key} has a NUL, which databases don't take` })
  expect(make({ county: 'a\\u0000', list: ['\\u0000'] })).toBeTypeOf('string')
})

it.each(['x'.repeat(9), 'ß'.repeat(5), '東東東', 'x'.repeat(2_000)])(
  'text that does not fit is refused: %s',
  (text) => {
    const bytes = new Utf8(8)
    expect(() => bytes.text(text)).toThrow('no room')
    bytes.text('12345678')
    expect(bytes.toString()).toBe('12345678')
  },
)
