/** Units that a coordinate's name may give, other than degrees north and east. */
import { numberIn } from '../../../tasks/place.js'
import type { Axis } from '../degrees.js'

interface Unit {
  /** For messages: follows "seems to hold". */
  readonly what: string
  /** How to make degrees of them that owm reads. */
  readonly remedy: string
  /** The axis that it applies to; both by default. */
  readonly axis?: Axis
  /** Matches the word in a name that gives the unit. */
  readonly said: RegExp
  /** `said` is about the end of the whole name instead, of which only letters and digits count. */
  readonly isAtEnd?: true
  /** Whether a value is possible in this unit. */
  mayBe(value: number): boolean
}

const otherPole = /^(rotated|(geo)?magnetic|co-?lat(itude)?)$/
const turned = 'turn their sign first'
const units: readonly Unit[] = [
  {
    what: 'degrees to the west',
    remedy: turned,
    axis: 'longitude',
    said: /^(w|west(ern|l)?|westlich|ouest|oeste)$/,
    mayBe: (value) => value >= 0,
  },
  {
    what: 'degrees to the south',
    remedy: turned,
    axis: 'latitude',
    said: /^(s|south(ern)?|südl|südlich|suedl|suedlich|sud|sur)$/,
    mayBe: (value) => value >= 0,
  },
  {
    what: 'radians',
    remedy: 'make degrees of them first',
    said: /^(rad|radians?)$/,
    mayBe: (value) => Math.abs(value) <= 2 * Math.PI,
  },
  { what: 'gons', remedy: 'make degrees of them first', said: /^(gons?|gradians?)$/, mayBe: () => true },
  { what: 'degrees from another pole', remedy: 'map the geographic ones', said: otherPole, mayBe: () => true },
  {
    what: 'minutes behind the point (52.28 is 52° 28′)',
    remedy: 'write them as 52° 28′ first, and set source.dms',
    said: /(dd|gg)mm(ss)?$|ddm$|(deg|grad)min(sec)?$/,
    isAtEnd: true,
    mayBe: (value) => Math.round((Math.abs(value) % 1) * 100) < 60,
  },
  {
    what: 'parts of degrees',
    remedy: 'divide them first',
    said: /^(1?e[1-5]|10+|m(illi)?deg(rees?)?)$/,
    mayBe: Number.isInteger,
  },
  { what: 'ten-millionths of degrees', remedy: 'divide them first', said: /^(1?e7)$/, mayBe: Number.isInteger },
  {
    what: 'millionths of degrees',
    remedy: 'divide them first',
    said: /^(1?e6|µdeg|microdeg(rees)?)$/,
    mayBe: Number.isInteger,
  },
]

/** The words of `Id_station`, and of `stationName`, in lower case. */
export const wordsInName = (name: string): string[] =>
  name
    .replace(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)

/** Without the axis: `rad` of `latrad`. `lats` is a plural, not a unit. */
const unitWords = (name: string): string[] =>
  wordsInName(name).map((word) => /^(?:latitude|longitude|lat|long|lon|lng)(..+)$/.exec(word)?.[1] ?? word)

/** `Longitude (E/W)` and `Longitude (West negative)` are counted as owm does. */
const isSigned = (words: readonly string[]): boolean =>
  words.some((word) => /^(e|east|n|north|neg|negative|minus)$/.test(word))

/** The unit that a name gives; undefined for none, and for degrees as owm reads them. */
export function unitIn(name: string, axis: Axis): Unit | undefined {
  const words = unitWords(name)
  return units.find(
    (unit) =>
      (unit.isAtEnd ? unit.said.test(words.join('')) : words.some((word) => unit.said.test(word))) &&
      (unit.axis === undefined || (unit.axis === axis && !isSigned(words))),
  )
}

/** The units that the coordinates' names give, and whether the values bear them out. */
export class Units {
  readonly #byAxis = new Map<Axis, { name: string; unit: Unit; count: number }>()

  /** Notes the name that an axis is read from, if it gives another unit. */
  noteName(axis: Axis, name: string): void {
    const unit = unitIn(name, axis)
    if (unit && this.#byAxis.get(axis)?.name !== name) this.#byAxis.set(axis, { name, unit, count: 0 })
  }

  /** Counts the values that bear the unit out. A single impossible one shows that the name means something else. */
  check(axis: Axis, value: unknown): void {
    const named = this.#byAxis.get(axis)
    if (named === undefined) return
    if (named.unit.mayBe(numberIn(value))) named.count++
    else named.count = Number.NEGATIVE_INFINITY
  }

  /** Names whose values are all possible in their unit. */
  get likely(): { name: string; unit: Unit }[] {
    return [...this.#byAxis.values()].filter(({ count }) => count > 0)
  }
}
