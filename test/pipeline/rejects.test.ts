import { expect, it } from 'vitest'
import { Rejects, rejectsIn } from '../../src/pipeline/input/rejects.js'

it('counts a reason that it knows under it, however many others came meanwhile', () => {
  const rejects = new Rejects()
  const reject = (reason: string): void => rejects.add({ reason, position: 'line 1', value: '' })
  reject('latitude is missing')
  // No digits: reasons that differ in these alone are one.
  for (const a of 'abcdefghijklm') for (const b of 'abcdefghijklm') reject(`the key ${a}${b} is wrong`)
  for (let times = 0; times < 999; times++) reject('latitude is missing')
  expect(rejects.count).toBe(1_000 + 13 * 13)
  expect(rejects.commonest(1)).toMatchObject([{ reason: 'latitude is missing', count: 1_000 }])
})

it('shows a location that JSON has no form for', () => {
  const location: Record<string, unknown> = { city: 'Round' }
  location['self'] = location
  const rejects = rejectsIn({ locations: [location], resume: '1', position: () => 'the first' })
  expect(rejects.commonest()).toMatchObject([{ value: expect.stringContaining('Round') }])
})

it('cuts an example between two characters, not within one', () => {
  const rejects = rejectsIn({
    locations: [{ city: '🌊'.repeat(100) }, { city: `x${'🌊'.repeat(100)}` }],
    resume: '1',
    position: String,
  })
  expect(rejects.commonest(9).every(({ value }) => value.isWellFormed() && value.length <= 121)).toBe(true)
})
