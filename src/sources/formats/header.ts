/** The header of a table: its names, and whether a row is one. */
import { ConfigurationError } from '../../errors/index.js'
import type { Plan } from '../fields/mapping.js'

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
