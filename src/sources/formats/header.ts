/** The header of a table: its names, and whether a row is one. */
import { ConfigurationError } from '../../errors/index.js'
import type { Mapping, Plan } from '../fields/mapping.js'
import { known, normal } from '../fields/names.js'

/** Throws ConfigurationError where two columns have one name, in whatever letters: the second would win. */
export function differ(names: readonly string[], title: string, where: string): void {
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
 * Whether a row is the header of a list that has one, although source.header gives the names: where the coordinates
 * should be it has words, and not the same ones. As a row it could be no place.
 */
export function isHeader(cells: readonly unknown[], { meanings }: Plan): boolean {
  const words = meanings.flatMap((meaning, index) =>
    meaning === 'latitude' || meaning === 'longitude' || meaning === 'coordinates' ? [cells[index]] : [],
  )
  const areWords = words.every((word) => typeof word === 'string' && /^[^\d]*\p{L}[^\d]*$/u.test(word))
  return cells.length === meanings.length && areWords && new Set(words).size === words.length
}

/**
 * A row that is a header once more, as where files were joined: the same one; one whose columns are others, or stand in
 * other places; or one with other words, which may be titles below the names.
 */
type Again = 'the same' | 'moved' | 'renamed'

/** Spreadsheets and data frames leave columns without a name. */
export const named = (cell: unknown, at: number): string => String(cell ?? '').trim() || `column_${at + 1}`

/** Looks for rows that are a header once more. */
export class Headers {
  readonly #mapping: Mapping
  readonly #names: readonly string[]
  readonly #meanings: readonly string[]
  /** Where the coordinates are. */
  readonly #places: readonly number[]

  /** @param names the header's, or those of source.header */
  constructor(names: readonly string[], { meanings }: Plan, mapping: Mapping) {
    this.#mapping = mapping
    this.#names = names.map((name, at) => normal(named(name, at)))
    this.#meanings = mapping.meaningsOf(names)
    this.#places = ['latitude', 'longitude', 'coordinates']
      .map((axis) => meanings.indexOf(axis))
      .filter((at) => at >= 0)
  }

  /** What a row is; undefined for one that isn't a header. */
  again(cells: readonly unknown[]): Again | undefined {
    if (cells.length !== this.#names.length || !this.#places.every((at) => this.#isWord(cells[at]))) return undefined
    const words = cells.map(named)
    const meant = this.#mapping.meaningsOf(words)
    const hasPlace = ['latitude', 'longitude'].every((axis) => meant.includes(axis)) || meant.includes('coordinates')
    if (!hasPlace) return undefined
    const isColumn = (at: number, column: number): boolean =>
      normal(words[at] ?? '') === this.#names[column] ||
      (known.has(meant[at] ?? '') && meant[at] === this.#meanings[column])
    const others = words.map((_, at) => at).filter((at) => !isColumn(at, at))
    if (others.length === 0) return 'the same'
    return others.some((at) => words.some((_, column) => isColumn(at, column))) ? 'moved' : 'renamed'
  }

  /** Most cells are numbers: to look further at those would cost more than all else. */
  #isWord(cell: unknown): boolean {
    if (typeof cell !== 'string' || cell === '') return false
    return !/\d/.test(cell) || this.#names.includes(normal(cell.trim()))
  }
}

/** A list whose columns become others in the midst of it. */
export class OtherHeader extends ConfigurationError {
  constructor(title: string, row: string, where = '') {
    super(`${title} has a second header${where}, and its columns are others: ${row.slice(0, 200)}.`, {
      hint: 'Make two lists of it, divided there, or bring the columns into one order; what stands before it was read.',
    })
  }
}

/** Reads one after the other up to a header whose columns are others, and gives that back: those before it are read. */
export function untilOtherHeader<T>(all: readonly T[], read: (one: T, index: number) => void): OtherHeader | undefined {
  try {
    for (const [index, one] of all.entries()) read(one, index)
    return undefined
  } catch (error) {
    if (error instanceof OtherHeader) return error
    throw error
  }
}

/** Why a row is rejected, and not left out: checkpoints count the rows of a list, these included. */
export const sameHeader = 'the row is the header again, as where lists were joined: it is no place'

/** Why a row directly below the header is rejected that names columns, too. */
export const titles = 'the row is a second header, in other words'
