/** The positions of tasks: whatever they are, each is found again, or none is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Positions } from '../../src/pipeline/input/positions.js'

const position = fc.oneof(
  fc.nat(30).map((line) => `line ${line}`),
  fc.tuple(fc.nat(3), fc.nat(9)).map(([page, item]) => `page ${page}, item ${item}`),
  fc.nat(20).map((index) => `list[${index}], line 7`),
  fc.constantFrom('somewhere', '', 'id = 007', 'id = 12345678901234567890', 'row ٣'),
)

test('each position is found again', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.array(fc.option(position, { nil: undefined })), (from, given) => {
      const positions = new Positions(from)
      for (const each of given) positions.add(each)
      for (const [index, each] of given.entries()) {
        const found = positions.of(from + index)
        if (each === undefined || /0\d|\d{16}/.test(each)) expect(found === undefined || found === each).toBe(true)
        else expect(found).toBe(each)
      }
      expect(positions.of(from - 1)).toBeUndefined()
      expect(positions.of(from + given.length)).toBeUndefined()
    }),
  )
})
