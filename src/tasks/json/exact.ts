/**
 * Numbers without loss: what a double holds is a number, a longer whole number a bigint, any other an ExactNumber.
 * All three are JSON numbers again in a task.
 */

/** A number that a double would change, as it was written in JSON. */
export class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }

  /** For JSON that is shown; a task has the text itself. */
  toJSON(): number {
    return Number(this.text)
  }
}

/** The values of a key that is there twice: which one is meant, nobody knows. */
export class Twice {
  readonly values: readonly unknown[]

  constructor(...values: readonly unknown[]) {
    this.values = values
  }
}

/** Significant digits with which any double can be written; more say something that a double doesn't hold. */
const digitsOfDouble = 17

/**
 * A number, from its text in JSON. Infinite where no double is so large: such a value can't be kept.
 */
export function numberOf(text: string): number | bigint | ExactNumber {
  const number = Number(text)
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(number) || digitsOf(number) === text ? number : BigInt(text)
  const [mantissa = ''] = text.toLowerCase().split('e')
  const digits = mantissa.replace(/^-|\./g, '').replace(/^0+|0+$/g, '')
  const isKept = digits.length <= digitsOfDouble && (number !== 0 || digits === '')
  return isKept || !Number.isFinite(number) ? number : new ExactNumber(text)
}

/**
 * A number of YAML as it was written: with a zero before its digits, which a number would lose, it is text; so is
 * 12:30, of which YAML 1.1 makes a number.
 *
 * @param value what YAML makes of `source`
 */
export function exactScalar(source: string, value: number): unknown {
  if (/^[+-]?0\d/.test(source) || source.includes(':')) return source
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(source) ? numberOf(source) : value
}

/** A whole number as its digits, whatever its size: those that `String` gives, and zeros. */
function digitsOf(number: number): string {
  const [mantissa = '', exponent] = String(number).split('e+')
  if (exponent === undefined) return mantissa
  const [whole, fraction = ''] = mantissa.split('.')
  return `${whole}${fraction.padEnd(Number(exponent), '0')}`
}

/** `JSON.stringify` for values that may hold exact numbers; undefined for what JSON leaves out. */
export function exactJson(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof ExactNumber) return value.text
  if (value instanceof Twice) return exactJson(value.values)
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((each) => exactJson(each) ?? 'null').join(',')}]`
  const members = Object.entries(value).flatMap(([key, inner]) => {
    const text = exactJson(inner)
    return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`]
  })
  return `{${members.join(',')}}`
}
