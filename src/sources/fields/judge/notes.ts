/** Warnings that are logged once per list, about places that are valid but suspicious. */
import { isMalformed, type Location, type Malformed } from '../../../plugin.js'
import type { Terms } from '../mapping.js'
import { isAbsent } from '../values.js'
import { Units } from './units.js'

/** What programs write for a missing value. */
const nullNames = new Set([
  ...['NULL', 'null', 'NaN', 'nan', 'N/A', 'n/a', '#N/A', 'None', 'none', '-', '--', '\\N'],
  // Failed formulas of spreadsheets.
  ...['#REF!', '#NAME?', '#VALUE!', '#DIV/0!', '#NULL!', '#NUM!'],
])
const longestNullName = 7

export class Notes {
  readonly #units = new Units()
  #nullIslands = 0
  /** `state "NULL"` -> how many records. */
  readonly #nulls = new Map<string, number>()

  /** Notes which names are read as the coordinates. */
  noteNames(names: readonly string[], meanings: readonly string[]): void {
    for (const [index, meaning] of meanings.entries())
      if (meaning === 'latitude' || meaning === 'longitude') this.#units.noteName(meaning, names[index] ?? '')
  }

  count(records: readonly (Location | Malformed)[]): void {
    for (const record of records) {
      if (isMalformed(record)) continue
      if (isNullIsland(record)) this.#nullIslands++
      this.#units.check('latitude', record['latitude'])
      this.#units.check('longitude', record['longitude'])
      this.#countNull('id', record['id'])
      this.#countNull('city', record['city'])
      this.#countNull('state', record['state'])
    }
  }

  #countNull(field: string, value: unknown): void {
    if (typeof value !== 'string' || value.length > longestNullName || !nullNames.has(value)) return
    const what = `${field} "${value}"`
    this.#nulls.set(what, (this.#nulls.get(what) ?? 0) + 1)
  }

  warn({ title, log, thing }: Terms): void {
    const places = this.#nullIslands
    if (places > 0)
      log.warn(
        { event: 'null-island' },
        `${title} has ${places === 1 ? 'a place' : `${places} places`} at 0, 0: ` +
          'mostly that means that the coordinates are missing; source.rejectNullIsland: true rejects them',
      )
    for (const { name, unit } of this.#units.likely)
      log.warn(
        { event: 'other-unit' },
        `${title}: the ${thing} "${name}" was read as degrees north or east, and by its name it holds ${unit.what}: ` +
          `${unit.remedy}, or give it another name`,
      )
    for (const [what, count] of this.#nulls)
      log.warn(
        { event: 'null-names' },
        `${title} has ${count === 1 ? 'a place' : `${count} places`} with the ${what}: ` +
          'if that stands for no value, name it in source.nulls',
      )
  }
}

export const isNullIsland = ({
  latitude,
  longitude,
}: {
  readonly latitude?: unknown
  readonly longitude?: unknown
}): boolean => isZero(latitude) && isZero(longitude)

function isZero(value: unknown): boolean {
  if (typeof value === 'string' && !/^[+-]?0?\.?0/.test(value)) return false // most are not
  return !isAbsent(value) && typeof value !== 'object' && Number(value) === 0
}
