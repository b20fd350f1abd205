import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { SeenIds } from '../../../src/tasks/ids/seen.js'

const count = 1_200_000
/** Bytes that look random, and are the same each time: 16 for each id. */
const bytes = createHash('shake256', { outputLength: 16 * count })
  .update('ids')
  .digest()
const id = (number: number): string => bytes.toString('hex', 16 * number, 16 * (number + 1))

describe('ids that were seen', () => {
  it('are all known again, on both sides of the places where the next filter begins', () => {
    const seen = new SeenIds()
    let suspected = 0
    for (let number = 0; number < count; number++) if (seen.add(id(number))) suspected++
    // 1 in a million at most is expected, a few times as many is still no fault.
    expect(suspected).toBeLessThan(5)
    let forgotten = 0
    for (let number = 0; number < count; number++) if (!seen.add(id(number))) forgotten++
    expect(forgotten).toBe(0)
  })
})
