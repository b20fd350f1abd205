/** What one value is, before anybody asks what it means. */

/**
 * Makes the function that trims text and takes away what stands for no value: NaN, and what is in `nulls`.
 * White space is everything that Unicode calls so, byte order marks and no-break spaces included.
 */
export function cleaner(nulls: readonly (string | number | null)[] = []): (value: unknown) => unknown {
  // In YAML, NULL without quotes is null.
  const absent = new Set(nulls.flatMap((each) => (each === null ? ['NULL', 'null', 'Null'] : [String(each)])))
  const longest = Math.max(0, ...[...absent].map(({ length }) => length))
  const isNamed = (value: number): boolean => absent.size > 0 && absent.has(String(value))
  return (value) => {
    if (typeof value === 'number') return Number.isNaN(value) || isNamed(value) ? undefined : value
    if (typeof value !== 'string') return value
    const text = isPlain(value.charCodeAt(0)) && isPlain(value.charCodeAt(value.length - 1)) ? value : value.trim()
    // Most are longer: to look one up costs more than all else here.
    return text.length <= longest && absent.has(text) ? undefined : text
  }
}

/** Whether a character is ASCII and no white space: nearly all are, and `trim` costs more than this. */
const isPlain = (code: number): boolean => code > 0x20 && code < 0x7f

export const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === ''
