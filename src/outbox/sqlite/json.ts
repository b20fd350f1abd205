/** Columns of text and of JSON, checked whenever they are read. */
import type { ValueTransformer } from 'typeorm'
import { isObject } from '../../tasks/json/tree.js'

/** A column holds something that owm doesn't write. Database.inTurn adds the file's path. */
export class DamagedColumn extends Error {}

/** Parses JSON; null for null, and for text that isn't JSON. */
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

/** A JSON column, parsed into the entity's property. */
export const json = <T>(column: string, isSound: Sound<T>): ValueTransformer => ({
  from: (text: string | null) => (text === null ? null : soundIn(text, column, isSound)),
  to: (value: T | null | undefined) => (value == null ? value : JSON.stringify(value)),
})

/** A JSON column whose property keeps the text. */
export const jsonText = (column: string, isSound: Sound<object>): ValueTransformer => ({
  from: (text: string | null) => {
    if (text !== null) soundIn(text, column, isSound)
    return text
  },
  to: (text: string | null | undefined) => text,
})

/** A column of text. SQLite may hold bytes in any column. */
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
  Array.isArray(value) && value.every((item) => typeof item === 'string')

export const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(Number.isSafeInteger)

/** A sink that takes the place of the present one: it gets the tasks after a `seq`. */
export interface NextSink {
  readonly address: string
  readonly fromSeq: number
}

export const isNextSink = (value: unknown): value is NextSink =>
  isObject(value) &&
  'address' in value &&
  typeof value.address === 'string' &&
  'fromSeq' in value &&
  Number.isSafeInteger(value.fromSeq)

/** A cadence (pipeline/input/cadence): checks the part that is later read without a check. */
export const isCadence = (value: unknown): value is object =>
  isObject(value) && 'rules' in value && Array.isArray(value.rules)
