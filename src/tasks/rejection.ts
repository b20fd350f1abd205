import { clipped, visible } from '../words.js'
import { HexBytes } from './json/hex.js'

/** Why a location can't become a task. Thrown inside this room; its exports return it. */
export class Rejection extends Error {
  readonly reason: string
  /** The location's field that is wrong, if it is a single one. */
  readonly field: string | undefined

  constructor(reason: string, field?: string) {
    super(reason)
    this.reason = reason
    this.field = field
  }
}

/** The result of `work`, or the Rejection that it throws. */
export function orRejection<T>(work: () => T): T | Rejection {
  try {
    return work()
  } catch (error) {
    if (error instanceof Rejection) return error
    throw error
  }
}

/** Throws Rejection for text that readers of tasks can't take: PostgreSQL reads no field of JSON with a NUL in it. */
export function mustBeReadable(text: string, name: string, field?: string): void {
  if (text.includes('\0')) throw new Rejection(`${name} has a NUL, which databases don't take`, field)
  if (!text.isWellFormed()) throw new Rejection(`${name} has a lone surrogate: it isn't valid Unicode`, field)
}

/** A value for a reason: short, and safe to print. */
export function shown(value: unknown): string {
  // Not String(value) for objects: their toString may throw, or be missing.
  if (value instanceof HexBytes) return `bytes (hex ${clipped(String(value), 60)})`
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return visible(clipped(text, 60))
}
