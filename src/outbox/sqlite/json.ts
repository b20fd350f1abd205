/** Columns of text, and of JSON: what stands in them is checked wherever they are read. */
import type { ValueTransformer } from 'typeorm'

/** A column holds what no owm writes; Database.inTurn says in which file. */
export class DamagedColumn extends Error {}

/** What a text holds as JSON; null where it holds nothing, or something damaged. */
export function jsonIn(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}

type Sound<T> = (value: unknown) => value is T

function soundIn<T>(text: unknown, column: string, isSound: Sound<T>): T {
  const value = typeof text === 'string' ? jsonIn(text) : null
  if (isSound(value)) return value
  throw new DamagedColumn(`the JSON in its column ${column} is none that owm writes`)
}

/** A column whose JSON is the value of a property. */
export const json = <T>(column: string, isSound: Sound<T>): ValueTransformer => ({
  from: (text: string | null) => (text === null ? null : soundIn(text, column, isSound)),
  to: (value: T | null | undefined) => (value == null ? value : JSON.stringify(value)),
})

/** A column whose JSON stays a text. */
export const jsonText = (column: string, isSound: Sound<object>): ValueTransformer => ({
  from: (text: string | null) => {
    if (text !== null) soundIn(text, column, isSound)
    return text
  },
  to: (text: string | null | undefined) => text,
})

/** A column of text; SQLite keeps bytes in any column. */
export const text = {
  type: 'text',
  transformer: {
    from(value: unknown): unknown {
      if (value instanceof Uint8Array) throw new DamagedColumn('it holds bytes in place of a text')
      return value
    },
    to: (value: unknown) => value,
  },
} as const

export const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

export const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(Number.isSafeInteger)

/** Another sink, which is to get the tasks behind a `seq`. */
export interface NextSink {
  readonly address: string
  readonly fromSeq: number
}

export const isNextSink = (value: unknown): value is NextSink =>
  typeof value === 'object' &&
  value !== null &&
  'address' in value &&
  typeof value.address === 'string' &&
  'fromSeq' in value &&
  Number.isSafeInteger(value.fromSeq)

/** A cadence (pipeline/input/cadence), as far as it is read without a check. */
export const isCadence = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && 'rules' in value && Array.isArray(value.rules)
