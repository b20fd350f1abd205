import { clipped, visible } from '../words.js'
import { HexBytes } from './json/hex.js'

/** Why a location can't become a task. Thrown inside this room, given back by it. */
export class Rejection extends Error {
  readonly reason: string
  /** The location's field that it is about, where it is about one. */
  readonly field: string | undefined

  constructor(reason: string, field?: string) {
    super(reason)
    this.reason = reason
    this.field = field
  }
}

/** What `work` gives, or the Rejection that it throws. */
export function orRejection<T>(work: () => T): T | Rejection {
  try {
    return work()
  } catch (error) {
    if (error instanceof Rejection) return error
    throw error
  }
}

/** Throws Rejection where some who read a task can't take a text: of a row with one NUL, PostgreSQL gives no field. */
export function mustBeReadable(text: string, name: string, field?: string): void {
  if (text.includes('\0')) throw new Rejection(`${name} has a NUL, which databases don't take`, field)
  if (!text.isWellFormed()) throw new Rejection(`${name} has a lone surrogate: it isn't valid Unicode`, field)
}

/** A value in a reason: short, and harmless whatever it is. */
export function shown(value: unknown): string {
  // Not String(value): an object's own toString may throw, or be missing.
  if (value instanceof HexBytes) return `bytes (hex ${clipped(String(value), 60)})`
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return visible(clipped(text, 60))
}
