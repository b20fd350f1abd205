/** A place's key, which its task has, too. */
import { expect, test } from 'vitest'
import { taskMaker } from '../../src/tasks/encode.js'
import { keyIn, placeOf } from '../../src/tasks/place.js'
import { Rejection } from '../../src/tasks/rejection.js'

test.each<[what: string, id: unknown]>([
  ['none', undefined],
  ['a text', 'é\n"7'],
  ['digits', '007'],
  ['a number', 7],
  ['a long number', 1161888007138312193n],
  ['a fraction', 1.5],
  ['a large one', 1e21],
])('the key of its place can be read from a task: %s', (_, id) => {
  const location = { id, city: 'Bern', state: 'BE', latitude: 46.94809, longitude: -1e-7 }
  const [place, task] = [placeOf(location), taskMaker('2026-11-23T10:00:00Z')(location)]
  if (place instanceof Rejection || task instanceof Rejection) throw new Error('it is a place')
  expect(keyIn(task)).toBe(place.key)
})
