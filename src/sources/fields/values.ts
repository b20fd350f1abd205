/** Which values count as absent, and trimming, before a value is interpreted. */

/**
 * Makes the function that trims text and gives undefined for NaN and for what `nulls` names. White space is all of
 * Unicode's, including byte order marks and no-break spaces.
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
    // Most texts are longer, and the lookup costs more than all else here.
    return text.length <= longest && absent.has(text) ? undefined : text
  }
}

/** Whether a character is ASCII and no white space: nearly all are, and this is cheaper than `trim`. */
const isPlain = (code: number): boolean => code > 0x20 && code < 0x7f

export const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === ''
