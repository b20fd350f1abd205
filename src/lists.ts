/** What arrays and iterables have no method for. */

export function sumOf<T>(list: Iterable<T>, of: (one: T) => number): number {
  let sum = 0
  for (const one of list) sum += of(one)
  return sum
}

/** The items but for false, null and undefined: `compact(dead > 0 && 'some are dead', more)`. */
export const compact = <T>(...items: readonly (T | false | null | undefined)[]): T[] =>
  items.flatMap((item) => (item === false || item === null || item === undefined ? [] : [item]))

/** The items that `isOne` resolves to true for; it is asked about all of them at once. */
export async function filtered<T>(list: readonly T[], isOne: (one: T) => Promise<boolean>): Promise<T[]> {
  const answers = await Promise.all(list.map(isOne))
  return list.filter((_, index) => answers[index])
}

/** The groups are in the order of their first items. Once Node 22 is required, `Map.groupBy` does it. */
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
