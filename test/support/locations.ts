/** Locations that differ in their ids. */
import type { Location } from '../../src/plugin.js'
import { type Place, placeOf } from '../../src/tasks/place.js'
import { Rejection } from '../../src/tasks/rejection.js'

export function placed(location: Location): Place {
  const place = placeOf(location)
  if (place instanceof Rejection) throw place
  return place
}

export const locationOf = (id: number, every?: string): Location => ({
  id,
  latitude: 1,
  longitude: 2,
  city: 'C',
  every,
})
