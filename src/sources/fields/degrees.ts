/** Reads one coordinate as lists write it: with a decimal comma, in degrees, minutes and seconds, from 0 to 360. */
import type { FieldOptions } from './options.js'

export const axes = ['latitude', 'longitude'] as const
export type Axis = (typeof axes)[number]

/** Why a value is no coordinate. */
export class Unreadable {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** A typographic minus sign. */
const minus = /^[\u2212\u2013\ufe63\uff0d](?=[\d.])/
const plain = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const withComma = /^[+-]?\d+,\d+$/
/** What follows degrees, minutes and seconds. A capital S is south: seconds have a small one. */
const marks = [
  '(?:\\s*(?:°|º|(?:deg|d)(?![a-z])|:|-)\\s*|\\s+)',
  "(?:\\s*(?:['′’‘]|(?:min|m)(?![a-z])|:|-)\\s*|\\s+)",
  "(?:\\s*(?:[\"″”“]|''|′′|’’|sec)|s)?",
] as const
const part = '(\\d+(?:[.,]\\d+)?)'
/** Hemisphere, sign, degrees, minutes, seconds, hemisphere. */
const sexagesimal = new RegExp(
  `^([NSEWnsew])?\\s*([+-])?\\s*${part}` +
    `(?:${marks[0]}(?:${part}(?:${marks[1]}(?:${part}${marks[2]})?)?)?)?\\s*([NSEWnew])?$`,
)
/** Without marks, as aviation writes it: 4115N and 411544N, 00730W and 0073000W. */
const packed = /^([NSEW])?\s*(\d{2}|\d{3})(\d{2})(\d{2}(?:\.\d+)?)?\s*([NSEW])?$/i

/**
 * A coordinate as a number, or as the text of one. A value that is no coordinate at all comes back as it is; one that
 * an option would make readable is Unreadable, with that option's name.
 *
 * @param value trimmed, if it is text
 */
export function degreesOf(value: unknown, axis: Axis, options: FieldOptions): unknown {
  const number = typeof value === 'string' ? inText(value.replace(minus, '-'), axis, options) : value
  return axis === 'longitude' && !(number instanceof Unreadable) ? within180(number, options) : number
}

const withoutOption = (axis: Axis, text: string): Unreadable =>
  new Unreadable(
    `${axis} "${text}" has a decimal comma: write a point, or set source.decimal to "," where every row has one`,
  )

/** Whether a text is one coordinate, in any notation. So is 46,9, which could be two numbers, but hardly ever is. */
export const isOneCoordinate = (text: string): boolean =>
  axes.some((axis) => {
    const read = degreesOf(text, axis, { decimal: text.includes(',') ? ',' : '.', dms: true })
    return !(read instanceof Unreadable) && Number.isFinite(Number(read))
  })

/** The options that values like these need to be read as coordinates, for a hint. */
export function optionsFor(values: readonly unknown[]): FieldOptions {
  const texts = values.flatMap((value) => (typeof value === 'string' ? [value.trim()] : [])).filter(isOneCoordinate)
  return {
    ...(texts.some((text) => text.includes(',')) ? { decimal: ',' } : {}),
    ...(texts.some((text) => !plain.test(text) && !withComma.test(text)) ? { dms: true } : {}),
  }
}

function inText(text: string, axis: Axis, { decimal, dms }: FieldOptions): unknown {
  if (plain.test(text)) {
    if (decimal !== ',' || /^[+-]?\d+$/.test(text)) return text
    return new Unreadable(`${axis} "${text}" has no decimal comma, although source.decimal is ","`)
  }
  if (withComma.test(text)) {
    if (decimal === ',') return text.replace(',', '.')
    return withoutOption(axis, text)
  }
  const parts = packedParts(text, axis) ?? sexagesimal.exec(text)
  if (!parts) return text
  if (!dms)
    return new Unreadable(`${axis} "${text}" is written with degrees, minutes or N, S, E, W: set source.dms to true`)
  const degrees = fromParts(parts, axis, decimal === ',')
  if (degrees !== undefined) return degrees
  return decimal !== ',' && fromParts(parts, axis, true) !== undefined
    ? withoutOption(axis, text)
    : new Unreadable(
        isShortPacked(text, axis)
          ? `longitude "${text}" has two digits of degrees: without marks between the parts it needs three (0073000W)`
          : `${axis} "${text}" isn't written as 41° 15' 44" N is`,
      )
}

/** Whether a longitude is packed as a latitude is: Spain's AEMET writes 082219W. */
const isShortPacked = (text: string, axis: Axis): boolean =>
  axis === 'longitude' && /[EW]/i.test(text) && packed.exec(text)?.[2]?.length === 2

/** A latitude has two digits of degrees, a longitude three; without a hemisphere it could be any number. */
function packedParts(text: string, axis: Axis): (string | undefined)[] | undefined {
  const [all, before, degrees, minutes, seconds, behind] = packed.exec(text) ?? []
  const hasHemisphere = before !== undefined || behind !== undefined
  if (!hasHemisphere || degrees?.length !== (axis === 'latitude' ? 2 : 3)) return undefined
  return [all, before, undefined, degrees, minutes, seconds, behind]
}

/** Degrees, rounded to a tenth of a millimetre; undefined if the parts don't fit together. */
function fromParts(parts: readonly (string | undefined)[], axis: Axis, hasComma: boolean): number | undefined {
  const [, before, sign, ...rest] = parts
  const [degrees = '', minutes, seconds, behind] = rest
  const hemisphere = (before ?? behind ?? '').toUpperCase()
  const numbers = [degrees, minutes ?? '0', seconds ?? '0'].map((part) =>
    Number(hasComma ? part.replace(',', '.') : part),
  )
  const [whole = Number.NaN, sixtieths = Number.NaN, last = Number.NaN] = numbers
  const fits = hemisphere === '' || (axis === 'latitude' ? 'NS' : 'EW').includes(hemisphere)
  const isTwice = (before !== undefined && behind !== undefined) || (sign === '-' && hemisphere !== '')
  const isMixed = minutes !== undefined && !(Number.isInteger(whole) && sixtieths < 60 && last < 60)
  // 0030N isn't 30 degrees: four digits include minutes.
  const isPacked = minutes === undefined && /^\d{4}/.test(degrees)
  if (!fits || isTwice || isMixed || isPacked || numbers.some(Number.isNaN)) return undefined
  const value = Number((whole + sixtieths / 60 + last / 3600).toFixed(9))
  return sign === '-' || hemisphere === 'S' || hemisphere === 'W' ? -value : value
}

/** With source.longitudes 0..360, a longitude beyond 180 becomes a western one; else it is Unreadable. */
function within180(value: unknown, { longitudes }: FieldOptions): unknown {
  const number = typeof value === 'string' ? Number(value) : value
  if (typeof number !== 'number' || !(number > 180 && number <= 360)) return value
  if (longitudes !== '0..360')
    return new Unreadable(
      `longitude ${number} is beyond 180: where longitudes run from 0 to 360, set source.longitudes to 0..360`,
    )
  const decimals = String(number).split('.')[1]?.length ?? 0
  return Number((number - 360).toFixed(Math.min(decimals, 20)))
}
