/**
 * Numbers without loss: a number if a double holds it, else a bigint if it is whole, else an ExactNumber. In a task,
 * all three are JSON numbers again.
 */

/** The text of a JSON number that a double would change. */
export class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }

  /** For JSON that is displayed; a task has the exact text. */
  toJSON(): number {
    return Number(this.text)
  }
}

/** The values of a key that occurs twice: which one is meant isn't known. */
export class RepeatedKey {
  readonly values: readonly unknown[]

  constructor(...values: readonly unknown[]) {
    this.values = values
  }
}

/** The most significant digits that a double needs; a text with more holds something that a double can't. */
const digitsOfDouble = 17

/** The value of a JSON number's text. Infinite if no double is that large: such a value can't be kept. */
export function numberOf(text: string): number | bigint | ExactNumber {
  const number = Number(text)
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(number) || digitsOf(number) === text ? number : BigInt(text)
  const [mantissa = ''] = text.toLowerCase().split('e')
  const digits = mantissa.replace(/^-|\./g, '').replace(/^0+|0+$/g, '')
  const isKept = digits.length <= digitsOfDouble && (number !== 0 || digits === '')
  return isKept || !Number.isFinite(number) ? number : new ExactNumber(text)
}

/**
 * A YAML scalar that was read as a number, without loss: with leading zeros it is text, and so is 12:30, which is a
 * number in YAML 1.1.
 *
 * @param value what YAML makes of `source`
 */
export function exactScalar(source: string, value: number): unknown {
  if (/^[+-]?0\d/.test(source) || source.includes(':')) return source
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(source) ? numberOf(source) : value
}

/** All digits of a whole number: those of `String`, without an exponent. */
function digitsOf(number: number): string {
  const [mantissa = '', exponent] = String(number).split('e+')
  if (exponent === undefined) return mantissa
  const [whole, fraction = ''] = mantissa.split('.')
  return `${whole}${fraction.padEnd(Number(exponent), '0')}`
}

/** `JSON.stringify` for values that may contain exact numbers; undefined for what JSON omits. */
export function exactJson(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof ExactNumber) return value.text
  if (value instanceof RepeatedKey) return exactJson(value.values)
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((each) => exactJson(each) ?? 'null').join(',')}]`
  const members = Object.entries(value).flatMap(([key, inner]) => {
    const text = exactJson(inner)
    return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`]
  })
  return `{${members.join(',')}}`
}
