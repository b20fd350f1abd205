import { expect, test } from 'vitest'
import { oneRun } from '../../src/cli/actions/look/runs/one-run.js'

const runs = (count: number): { runId: string }[] =>
  Array.from({ length: count }, (_, index) => ({ runId: `1b${index}` }))

test('the run that is meant is the only one whose id begins so', () => {
  expect(oneRun('1b', runs(1))).toEqual({ runId: '1b0' })
})

test.each([
  [0, 'No run has an id that begins with 1b.', expect.stringContaining('`owm runs` shows')],
  [2, '2 runs begin with 1b.', 'Name one: 1b0, 1b1.'],
  [7, '7 runs begin with 1b.', 'Name one, such as 1b2, 1b3, 1b4, 1b5, 1b6.'],
  [101, 'Many runs begin with 1b.', expect.stringMatching(/^Name one, such as /)],
])('%i runs are not one', (count, message, hint) => {
  expect(() => oneRun('1b', runs(count))).toThrow(expect.objectContaining({ message, hint }))
})
