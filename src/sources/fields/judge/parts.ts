/**
 * Recognises coordinates split over several columns, by their values: a hemisphere, a sign or minutes, under any name.
 * Lists of complete coordinates may have such columns as well, so one counts only if ignoring it changes the place.
 */
import { isMalformed, type Location, type Malformed } from '../../../plugin.js'
import { numberIn } from '../../../tasks/place.js'
import { type Axis, axes } from '../degrees.js'
import { wordsInName } from './units.js'

/** The most records that are examined. */
const most = 10_000

const words = { latitude: /^(lat|latitude|ns)$/, longitude: /^(lon|lng|long|longitude|ew)$/ }
const letters = { latitude: /^(n|s|north|south)$/i, longitude: /^(e|w|east|west)$/i }
const isBelow = /^(s|south|w|west|-1?)$/i
const isSign = /^([+-]1?|1)$/
const isMinuteWord = /^(arc)?(m|mn|mins?|minutes?|s|sc|secs?|seconds?)$/

/** What a column may be, by its values so far. Its name or its letters may say which axis it is of. */
interface Column {
  readonly name: string
  readonly axis: Axis | undefined
  /** Whether its name mentions coordinates. */
  readonly isNamed: boolean
  kind: 'letters' | 'sign' | 'minutes'
  /** Whether any value changes the place. */
  tells: boolean
}

export class Parts {
  readonly #columns = new Map<string, Column | undefined>()
  readonly #isNegative = { latitude: false, longitude: false }
  readonly #isWhole = { latitude: true, longitude: true }
  #records = 0
  /** The names of the last record, and the indexes of the columns that are still candidates. */
  #names: readonly string[] = []
  #left: readonly number[] = []

  /** Examines a record's values, and the place that was made of them. */
  look(names: readonly string[], values: readonly unknown[], made: Location | Malformed): void {
    if (isMalformed(made) || this.#records >= most) return
    this.#records++
    for (const axis of axes) {
      const degrees = numberIn(made[axis])
      this.#isNegative[axis] ||= degrees < 0
      this.#isWhole[axis] &&= Number.isInteger(degrees)
    }
    if (names !== this.#names) this.#left = names.map((_, index) => index)
    this.#names = names
    this.#left = this.#left.filter((index) => this.#mayBe(names[index] ?? '', values[index]))
  }

  #mayBe(name: string, value: unknown): boolean {
    const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
    if (text === '') return value === undefined || value === null || value === ''
    const before = this.#columns.get(name)
    const column = this.#columns.has(name) ? before : columnOf(name, text)
    const isSame = column !== undefined && fits(column, text)
    this.#columns.set(name, isSame ? column : undefined)
    if (isSame) column.tells ||= column.kind === 'minutes' ? Number(text) > 0 : isBelow.test(text)
    return isSame
  }

  /** The column without which the places are wrong; undefined if there is none. */
  get found(): string | undefined {
    const columns = [...this.#columns.values()].flatMap((each) => each ?? [])
    const of = (kind: Column['kind'], axis: Axis): Column[] =>
      columns.filter((each) => each.kind === kind && each.axis === axis)
    const turned = axes
      .filter((axis) => !this.#isNegative[axis])
      .flatMap((axis) => [...of('letters', axis), ...of('sign', axis)].filter(({ tells }) => tells))
    // A name that says nothing needs its counterpart: S and N mean yes and no in Spanish.
    const hasBoth = axes.every((axis) => of('letters', axis).length > 0)
    // `lat_min` beside `lat_max` is a bounding box.
    const isBox = this.#names.some((name) => /max/i.test(name))
    const minutes = axes.map((axis) => (this.#isWhole[axis] && !isBox ? of('minutes', axis) : []))
    return (
      turned.find(({ isNamed }) => isNamed || hasBoth)?.name ??
      (minutes.every((each) => each.length > 0) ? minutes.flat().find(({ tells }) => tells)?.name : undefined)
    )
  }
}

function columnOf(name: string, text: string): Column | undefined {
  const said = wordsInName(name)
  const axis = axes.find((each) => said.some((word) => words[each].test(word)))
  const byLetters = axes.find((each) => letters[each].test(text))
  const isNamed = axis !== undefined || said.some((word) => /^hem/.test(word))
  const column = { name, isNamed, tells: false }
  if (byLetters !== undefined) return { ...column, axis: byLetters, kind: 'letters' }
  if (axis === undefined || said.length < 2) return undefined
  if (said.some((word) => isMinuteWord.test(word))) return { ...column, axis, kind: 'minutes' }
  return isSign.test(text) ? { ...column, axis, kind: 'sign' } : undefined
}

function fits({ kind, axis = 'latitude' }: Column, text: string): boolean {
  if (kind === 'letters') return letters[axis].test(text)
  return kind === 'sign' ? isSign.test(text) : /^\d+(\.\d+)?$/.test(text) && Number(text) < 60
}
