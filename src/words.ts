/** Numbers and texts for people to read. */

/** A whole number with thousands separators. Not with Intl: loading it takes longer than a small run. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',')

/** @param words the plural, if it isn't `word` and an `s` */
export const plural = (value: number, word: string, words = `${word}s`): string =>
  `${count(value)} ${value === 1 ? word : words}`

/** `12 MB`, rounded up. */
export const megabytes = (bytes: number): string => `${count(Math.ceil(bytes / 1_000_000))} MB`

/** A text cut to `most` UTF-16 units, without half a character. */
export const clipped = (text: string, most: number): string =>
  (text.length > most ? `${text.slice(0, most)}…` : text).toWellFormed()

/** The text with invisible characters (soft hyphens, zero-width spaces and the like) escaped as in JSON. */
export const visible = (text: string): string =>
  text.replace(hidden, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** The text without invisible characters. */
export const withoutHidden = (text: string): string => text.replace(hidden, '')

const hidden = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/g

/** Control characters, direction marks and line separators: what a terminal or a browser interprets. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is meant to match them
const interpreted = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Replaces what a terminal or a browser would interpret: a city's name may hold escape sequences. */
export const harmless = (text: string): string => text.replace(interpreted, '\ufffd')

/** Escapes what a terminal would interpret and JSON allows unescaped. */
export const harmlessJson = (json: string): string =>
  json.replace(interpreted, (character) =>
    character < ' ' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Percent-decodes a part of a URL; what isn't validly encoded, such as a password with a `%`, is taken literally. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A duration in its two largest units: `2 h 5 min`. */
export function age(milliseconds: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  let rest = Math.max(0, milliseconds)
  const parts: string[] = []
  for (const [unit, size] of units) {
    const whole = Math.floor(rest / size)
    rest -= whole * size
    if (whole > 0 && parts.length < 2) parts.push(`${whole} ${unit}`)
  }
  return parts.join(' ') || '0 s'
}
