/**
 * A slot in the form that owm writes: UTC, with seconds, and with milliseconds only if there are any.
 *
 * @returns undefined if the text isn't an ISO 8601 time with a zone
 */
export function normalSlot(given: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/.test(given)) return undefined
  // `Date` would turn 31 April into 1 May.
  const day = given.slice(0, 10)
  if (Number.isNaN(Date.parse(day)) || new Date(day).toISOString().slice(0, 10) !== day) return undefined
  const time = new Date(given)
  return Number.isNaN(time.getTime()) ? undefined : slotOf(time.getTime())
}

/** The slot of a time in milliseconds since 1970. */
export const slotOf = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z')

/** Compares slots by time: as texts, `10:00:00.500Z` would come before `10:00:00Z`. */
export const byTime = (a: string, b: string): number => Date.parse(a) - Date.parse(b)
