/** What a column's name says of its coordinates where they aren't degrees to the north and to the east. */
import { numberIn } from '../../../tasks/place.js'
import type { Axis } from '../degrees.js'

export interface Unit {
  /** Behind "seems to hold". */
  readonly what: string
  /** What makes degrees of them that owm reads. */
  readonly remedy: string
  /** The axis that it may be of; both by default. */
  readonly axis?: Axis
  /** Words of a name that say it. */
  readonly said: RegExp
  /** Whether a value can be what the name says. */
  mayBe(value: number): boolean
}

const turned = 'turn their sign first'
const units: readonly Unit[] = [
  {
    what: 'degrees to the west',
    remedy: turned,
    axis: 'longitude',
    said: /^(w|west(ern)?|westlich|ouest|oeste)$/,
    mayBe: (value) => value >= 0,
  },
  {
    what: 'degrees to the south',
    remedy: turned,
    axis: 'latitude',
    said: /^(s|south(ern)?|südlich|suedlich|sud|sur)$/,
    mayBe: (value) => value >= 0,
  },
  {
    what: 'radians',
    remedy: 'make degrees of them first',
    said: /^(rad|radians?)$/,
    mayBe: (value) => Math.abs(value) <= 2 * Math.PI,
  },
  { what: 'gons', remedy: 'make degrees of them first', said: /^(gons?|gradians?)$/, mayBe: () => true },
  { what: 'ten-millionths of degrees', remedy: 'divide them first', said: /^(1?e7)$/, mayBe: Number.isInteger },
  {
    what: 'millionths of degrees',
    remedy: 'divide them first',
    said: /^(1?e6|µdeg|microdeg(rees)?)$/,
    mayBe: Number.isInteger,
  },
]

/** The words of `Id_station`, and of `stationName`, in lower case. */
export const wordsOf = (name: string): string[] =>
  name
    .replace(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)

/** Of `latrad` the unit's word is `rad`; `lats` are many. */
const unitWords = (name: string): string[] =>
  wordsOf(name).map((word) => /^(?:latitude|longitude|lat|long|lon|lng)(..+)$/.exec(word)?.[1] ?? word)

/** `Longitude (E/W)` and `Longitude (West negative)` are as owm reads them. */
const isSigned = (words: readonly string[]): boolean =>
  words.some((word) => /^(e|east|n|north|neg|negative|minus)$/.test(word))

/** The unit that a name says; undefined where it says none, or degrees as owm reads them. */
export function unitIn(name: string, axis: Axis): Unit | undefined {
  const words = unitWords(name)
  return units.find(
    (unit) =>
      words.some((word) => unit.said.test(word)) &&
      (unit.axis === undefined || (unit.axis === axis && !isSigned(words))),
  )
}

/** What the names of the coordinates say, and whether their values bear it out. */
export class Units {
  readonly #found = new Map<Axis, { name: string; unit: Unit; count: number }>()

  /** Notes the name that is read as one of the two, if it says another unit. */
  named(axis: Axis, name: string): void {
    const unit = unitIn(name, axis)
    if (unit && this.#found.get(axis)?.name !== name) this.#found.set(axis, { name, unit, count: 0 })
  }

  /** Looks at a value: one that can't be what the name says tells that the name says something else. */
  look(axis: Axis, value: unknown): void {
    const found = this.#found.get(axis)
    if (found === undefined) return
    if (found.unit.mayBe(numberIn(value))) found.count++
    else found.count = Number.NEGATIVE_INFINITY
  }

  /** Names whose values are, all of them, what the names say. */
  get likely(): { name: string; unit: Unit }[] {
    return [...this.#found.values()].filter(({ count }) => count > 0)
  }
}
