/** A header that `source.header` replaces. */
import type { Plan } from '../fields/mapping.js'

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
