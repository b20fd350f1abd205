/**
 * A slot in the one form that owm writes: UTC, seconds, and milliseconds only where there are any.
 *
 * @returns undefined where the text isn't an ISO 8601 time with a zone
 */
export function normalSlot(given: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/.test(given)) return undefined
  const time = new Date(given)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace('.000Z', 'Z')
}
