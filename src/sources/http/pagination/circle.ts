/**
 * Detects a cycle in a sequence, in constant memory (Brent's algorithm); at once if a value follows itself.
 */
export function circle(): (value: string) => boolean {
  let anchor: string | undefined
  let previous: string | undefined
  let steps = 0
  let power = 1
  return (value) => {
    if (value === anchor || value === previous) return true
    previous = value
    if (++steps === power) {
      anchor = value
      power *= 2
      steps = 0
    }
    return false
  }
}
