/** Which locations a condition means. Pure: the same ones on every machine. */
import type { Location } from '../../plugin.js'

/** Field -> the values that it may have, as text; '' is also that of a field which isn't there. All must be met. */
export type Where = Readonly<Record<string, readonly string[]>>

export function matcher(where: Where): (location: Location) => boolean {
  const matches = Object.entries(where).map(([field, values]) => ({ field, values: new Set(values) }))
  return (location) =>
    matches.every(({ field, values }) => {
      const own = location[field] ?? ''
      return typeof own !== 'object' && values.has(String(own))
    })
}
