/** What lists have no method for. */

export function sumOf<T>(list: Iterable<T>, of: (one: T) => number): number {
  let sum = 0
  for (const one of list) sum += of(one)
  return sum
}

/** Without what is left out, as in `compact(dead > 0 && 'some are dead', pending > 0 && 'some are pending')`. */
export const compact = <T>(...items: readonly (T | false | null | undefined)[]): T[] =>
  items.flatMap((item) => (item === false || item === null || item === undefined ? [] : [item]))

/** In the order in which each key comes first. */
export function groupedBy<T, Key>(list: Iterable<T>, keyOf: (one: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>()
  for (const one of list) {
    const key = keyOf(one)
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  return groups
}
