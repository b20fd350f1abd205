/** What one value is, before anybody asks what it means. */

/**
 * Makes the function that trims text and takes away what stands for no value: NaN, and the texts in `nulls`.
 * White space is everything that Unicode calls so, byte order marks and no-break spaces included.
 */
export function cleaner(nulls: readonly string[] = []): (value: unknown) => unknown {
  const absent = new Set(nulls)
  return (value) => {
    if (typeof value !== 'string') return Number.isNaN(value) ? undefined : value
    const text = isPlain(value.charCodeAt(0)) && isPlain(value.charCodeAt(value.length - 1)) ? value : value.trim()
    return absent.has(text) ? undefined : text
  }
}

/** Whether a character is ASCII and no white space: nearly all are, and `trim` costs more than this. */
const isPlain = (code: number): boolean => code > 0x20 && code < 0x7f

export const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === ''
