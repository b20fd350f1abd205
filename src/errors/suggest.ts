import { closest, distance } from 'fastest-levenshtein'

/** The known name that a misspelt one most likely stands for, or undefined. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const found = closest(given.toLowerCase(), known)
  return distance(given.toLowerCase(), found.toLowerCase()) <= Math.max(2, given.length / 3) ? found : undefined
}
