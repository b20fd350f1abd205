/** What is told once for a list: places that are there, but may not be what they seem. */
import { isMalformed, type Location, type Malformed } from '../../../plugin.js'
import type { Terms } from '../mapping.js'
import { isAbsent } from '../values.js'
import { Units } from './units.js'

/** What programs write where there is no value. */
const nullNames = new Set([
  ...['NULL', 'null', 'NaN', 'nan', 'N/A', 'n/a', '#N/A', 'None', 'none', '-', '--', '\\N'],
  // Where the formula of a spreadsheet failed.
  ...['#REF!', '#NAME?', '#VALUE!', '#DIV/0!', '#NULL!', '#NUM!'],
])
const longest = 7

export class Notes {
  readonly #units = new Units()
  #nullIslands = 0
  /** `state "NULL"` -> how many records. */
  readonly #nulls = new Map<string, number>()

  /** Notes which names are read as the coordinates. */
  named(names: readonly string[], meanings: readonly string[]): void {
    for (const [index, meaning] of meanings.entries())
      if (meaning === 'latitude' || meaning === 'longitude') this.#units.named(meaning, names[index] ?? '')
  }

  count(records: readonly (Location | Malformed)[]): void {
    for (const record of records) {
      if (isMalformed(record)) continue
      if (isNullIsland(record)) this.#nullIslands++
      this.#units.look('latitude', record['latitude'])
      this.#units.look('longitude', record['longitude'])
      this.#look('id', record['id'])
      this.#look('city', record['city'])
      this.#look('state', record['state'])
    }
  }

  #look(field: string, value: unknown): void {
    if (typeof value !== 'string' || value.length > longest || !nullNames.has(value)) return
    const what = `${field} "${value}"`
    this.#nulls.set(what, (this.#nulls.get(what) ?? 0) + 1)
  }

  tell({ title, log, thing }: Terms): void {
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
