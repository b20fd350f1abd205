/** JSON without loss: every digit of a number, and no key that another one of the same name replaces. */
import { parse } from 'lossless-json'
import { numberOf, Twice } from './exact.js'
import { mayRepeatKeys } from './keys.js'

/** What Python and JavaScript write for numbers that JSON hasn't; outside of strings. */
const constants = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs

/**
 * The value of a JSON text. Whole numbers beyond 2^53 are bigints, longer decimals ExactNumbers, NaN and Infinity
 * are what they say; a key that is there twice, with two values, has a Twice. Throws SyntaxError.
 */
export function parseJson(given: string): unknown {
  const text = /NaN|Infinity/.test(given) ? given.replace(constants, inJson) : given
  if (/\d{16}|\d[eE]-\d{3}/.test(text)) return exact(text)
  const value: unknown = text === given ? JSON.parse(text) : JSON.parse(text, revived)
  return mayRepeatKeys(text, value) ? exact(text) : value
}

/** Its value, or `otherwise` where it isn't JSON. */
export function parsedOr<T>(text: string, otherwise: T): unknown {
  try {
    return parseJson(text)
  } catch {
    return otherwise
  }
}

export const isJson = (text: string): boolean => parsedOr(text, undefined) !== undefined

/** As `parseJson`, with each number as the text that it is written as. */
export const parseTexts = (text: string): unknown => exact(text, (number) => number)

const exact = (text: string, parseNumber: (text: string) => unknown = numberOf): unknown =>
  parse(text, revived, {
    parseNumber,
    onDuplicateKey: ({ oldValue, newValue }) => new Twice(oldValue, newValue),
  })

function inJson(token: string): string {
  if (token.startsWith('"')) return token
  return token.endsWith('NaN') ? JSON.stringify(notANumber) : token.replace('Infinity', '1e999')
}

/** Stands for NaN while the text is parsed. */
const notANumber = '\u0000NaN'
const revived = (_: string, value: unknown): unknown => (value === notANumber ? Number.NaN : value)
