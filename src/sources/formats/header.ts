/** The header of a table: its names, and whether a row is one. */
import { ConfigurationError } from '../../errors/index.js'
import { axes } from '../fields/degrees.js'
import type { Mapping, Plan } from '../fields/mapping.js'
import { known, normal } from '../fields/names.js'

/** Throws ConfigurationError if two columns have one name, in upper or lower case: the second would win. */
export function mustDiffer(names: readonly string[], title: string, where: string): void {
  const lower = names.map((name) => name.trim().toLowerCase())
  const twice = lower.findIndex((name, index) => lower.indexOf(name) < index)
  if (twice < 0) return
  const first = lower.indexOf(lower[twice] ?? '')
  const which = [...new Set([names[first], names[twice]])].map((name) => `"${name}"`).join(' and ')
  throw new ConfigurationError(`${title} has two columns ${which} (columns ${first + 1} and ${twice + 1})${where}.`, {
    hint: 'Name all columns with source.header, which replaces the header; or give one of them another name.',
  })
}

/**
 * Whether the first row is a header, although source.header gives the names: in the columns of the coordinates it has
 * words, and different ones. As a row it could be no place.
 */
export function isHeader(cells: readonly unknown[], { meanings }: Plan): boolean {
  const words = meanings.flatMap((meaning, index) =>
    meaning === 'latitude' || meaning === 'longitude' || meaning === 'coordinates' ? [cells[index]] : [],
  )
  const areWords = words.every((word) => typeof word === 'string' && /^[^\d]*\p{L}[^\d]*$/u.test(word))
  return cells.length === meanings.length && areWords && new Set(words).size === words.length
}

/**
 * A row that is another header, as in joined files: the same one; one with other columns, or in another order; or one
 * in other words, which may be titles below the names.
 */
type Again = 'the same' | 'moved' | 'renamed'

/** A column's name: spreadsheets and data frames leave some without one. */
export const columnName = (cell: unknown, at: number): string => String(cell ?? '').trim() || `column_${at + 1}`

/** Finds rows that are another header. */
export class Headers {
  readonly #mapping: Mapping
  readonly #names: readonly string[]
  readonly #meanings: readonly string[]
  /** The indexes of the coordinates' columns. */
  readonly #places: readonly number[]

  /** @param names the header's, or those of source.header */
  constructor(names: readonly string[], { meanings }: Plan, mapping: Mapping) {
    this.#mapping = mapping
    this.#names = names.map((name, at) => normal(columnName(name, at)))
    this.#meanings = mapping.meaningsOf(names)
    this.#places = [...axes, 'coordinates'].map((axis) => meanings.indexOf(axis)).filter((at) => at >= 0)
  }

  /** Which header a row is; undefined for one that is none. */
  again(cells: readonly unknown[]): Again | undefined {
    if (cells.length !== this.#names.length || !this.#places.every((at) => this.#isWord(cells[at]))) return undefined
    const words = cells.map(columnName)
    const meant = this.#mapping.meaningsOf(words)
    const hasPlace = axes.every((axis) => meant.includes(axis)) || meant.includes('coordinates')
    if (!hasPlace) return undefined
    const isColumn = (at: number, column: number): boolean =>
      normal(words[at] ?? '') === this.#names[column] ||
      (known.has(meant[at] ?? '') && meant[at] === this.#meanings[column])
    const others = words.map((_, at) => at).filter((at) => !isColumn(at, at))
    if (others.length === 0) return 'the same'
    return others.some((at) => words.some((_, column) => isColumn(at, column))) ? 'moved' : 'renamed'
  }

  /** Most cells are numbers: checking those further would cost more than all else. */
  #isWord(cell: unknown): boolean {
    if (typeof cell !== 'string' || cell === '') return false
    return !/\d/.test(cell) || this.#names.includes(normal(cell.trim()))
  }
}

/** A list whose columns change in the middle. */
export class OtherHeader extends ConfigurationError {
  constructor(title: string, row: string, where = '') {
    super(`${title} has a second header${where}, and its columns are others: ${row.slice(0, 200)}.`, {
      hint: 'Make two lists of it, divided there, or bring the columns into one order; what stands before it was read.',
    })
  }
}

/** Reads items up to a header with other columns, and returns that: the items before it are kept. */
export function untilOtherHeader<T>(
  items: readonly T[],
  read: (item: T, index: number) => void,
): OtherHeader | undefined {
  try {
    for (const [index, item] of items.entries()) read(item, index)
    return undefined
  } catch (error) {
    if (error instanceof OtherHeader) return error
    throw error
  }
}

/** The reason of a rejection. The row isn't simply left out, since checkpoints count rows, including these. */
export const sameHeader = 'the row is the header again, as where lists were joined: it is no place'

/** Why a row directly below the header is rejected if it names columns as well. */
export const titles = 'the row is a second header, in other words'
