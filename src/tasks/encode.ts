/** Encodes a checked place as the bytes of its task. Pure. */
import type { Location } from '../plugin.js'
import { Utf8 } from './bytes.js'
import { keyBytes, maxExtraChars, writeExtras } from './extras.js'
import { idDigits } from './id.js'
import { defaultHours, type Place, placeOf } from './place.js'
import { orRejection, Rejection } from './rejection.js'

/** The extras and, generously, the rest: three bytes a character, and six characters for one that JSON escapes. */
export const maxTaskBytes = 3 * (maxExtraChars + 8 * 1024)

/**
 * Returns a function that writes a location's task for one slot, as JSON text of up to `maxTaskBytes`, and returns
 * the 32 hexadecimal digits of its id (see `idDigits`). If it returns a Rejection, a part of the task is left written.
 *
 * @param slot the scheduled time, as `normalSlot` writes it
 * @param namespace see tasks/id
 * @param traceparent added to each task under this key, if given
 */
export function taskEncoder(
  slot: string,
  namespace: string,
  traceparent?: string,
): (place: Place, location: Location, task: Utf8, window?: string) => string | Rejection {
  const digitsOf = idDigits(slot, namespace)
  const reserved = traceparent === undefined ? undefined : 'traceparent'
  const endOfTask = Buffer.from(traceparent === undefined ? '}' : `,"traceparent":${JSON.stringify(traceparent)}}`)
  return (place, location, task, window) =>
    orRejection(() => {
      const digits = digitsOf(place.key, window)
      task.put(startOfTask)
      task.uuid(digits)
      task.put(latitudeKey)
      task.number(place.latitude)
      task.put(longitudeKey)
      task.number(place.longitude)
      task.put(cityKey)
      task.json(place.city)
      task.put(stateKey)
      task.json(place.state)
      writeHours(place, task)
      if (place.id !== undefined) {
        task.put(locationIdKey)
        task.json(place.id)
      }
      writeExtras(location, task, reserved)
      task.put(endOfTask)
      return digits
    })
}

function writeHours({ forecastHours, historicalHours }: Place, task: Utf8): void {
  if (forecastHours === defaultHours && historicalHours === defaultHours) {
    task.put(defaultDurations)
    return
  }
  task.put(forecastKey)
  task.number(forecastHours)
  task.put(historicalKey)
  task.number(historicalHours)
}

/** Returns a function that turns a location into its task in one slot, or in a window, as JSON text: no namespace. */
export function taskMaker(slot: string): (location: Location, window?: string) => string | Rejection {
  const encode = taskEncoder(slot, '')
  const task = new Utf8(maxTaskBytes)
  return (location, window) => {
    const place = placeOf(location)
    if (place instanceof Rejection) return place
    task.end = 0
    const digits = encode(place, location, task, window)
    return digits instanceof Rejection ? digits : task.toString()
  }
}

/** The beginning of every task; its id follows. */
export const beginningOfTask = '{"task_id":"'
const startOfTask = Buffer.from(beginningOfTask)

/** The id of a task that owm wrote, from its beginning; undefined if the text begins otherwise. */
export const taskIdAtStart = (text: string): string | undefined =>
  /^\{"task_id":"([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})"/.exec(text)?.[1]

const latitudeKey = Buffer.concat([Buffer.from('"'), keyBytes('latitude_deg')])
const longitudeKey = keyBytes('longitude_deg')
const cityKey = keyBytes('city')
const stateKey = keyBytes('state')
const forecastKey = keyBytes('forecast_duration_hours')
const historicalKey = keyBytes('historical_duration_hours')
const defaultDurations = Buffer.concat([
  forecastKey,
  Buffer.from(String(defaultHours)),
  historicalKey,
  Buffer.from(String(defaultHours)),
])
const locationIdKey = keyBytes('location_id')
