/** JSON without loss: numbers keep every digit, and no key silently replaces another one of the same name. */
import { parse } from 'lossless-json'
import { numberOf, RepeatedKey } from './exact.js'
import { mayRepeatKeys } from './keys.js'

/** NaN and Infinity, as Python writes them although JSON has neither, or a string, to skip it. */
const constants = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs

/**
 * The value of a JSON text. Whole numbers beyond 2^53 are bigints, longer decimals ExactNumbers, NaN and Infinity
 * numbers; a key that occurs twice, with two values, has a RepeatedKey. Throws SyntaxError.
 */
export function parseJson(given: string): unknown {
  const text = /NaN|Infinity/.test(given) ? given.replace(constants, inJson) : given
  if (/\d{16}|\d[eE]-\d{3}/.test(text)) return exact(text)
  const value: unknown = text === given ? JSON.parse(text) : JSON.parse(text, revived)
  return mayRepeatKeys(text, value) ? exact(text) : value
}

/** The value of a JSON text, or `otherwise` if it isn't JSON. */
export function parsedOr<T>(text: string, otherwise: T): unknown {
  try {
    return parseJson(text)
  } catch {
    return otherwise
  }
}

export const isJson = (text: string): boolean => parsedOr(text, undefined) !== undefined

/** As `parseJson`, but each number is its text. */
export const parseTexts = (text: string): unknown => exact(text, (number) => number)

const exact = (text: string, parseNumber: (text: string) => unknown = numberOf): unknown =>
  parse(text, revived, {
    parseNumber,
    onDuplicateKey: ({ oldValue, newValue }) => new RepeatedKey(oldValue, newValue),
  })

/** NaN and Infinity as JSON that is read as the same value; a string as it is. */
function inJson(token: string): string {
  if (token.startsWith('"')) return token
  return token.endsWith('NaN') ? JSON.stringify(notANumber) : token.replace('Infinity', '1e999')
}

/** Stands for NaN while the text is parsed. */
const notANumber = '\u0000NaN'
const revived = (_: string, value: unknown): unknown => (value === notANumber ? Number.NaN : value)
