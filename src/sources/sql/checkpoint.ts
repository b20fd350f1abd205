/**
 * The checkpoint: the key's columns, the last key that was read, a digest of its ordering, how many rows were read, and
 * of which file or table.
 */
import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { ResumePointError } from '../../errors/index.js'

const schema = z.object({
  key: z.array(z.string()),
  last: z.array(z.string()).readonly(),
  ordering: z.string().optional(),
  rows: z.int().min(0).optional(),
  file: z.string().optional(),
})

type Point = z.output<typeof schema>

export const checkpointOf = (key: readonly string[], point: Omit<Point, 'key'>): string =>
  JSON.stringify({ key, ...point })

/**
 * A digest of the keys' types and collations; unchanged if the database doesn't give them. Throws ResumePointError if
 * it differs from the one before: in another order, rows would be skipped.
 */
export function sameOrdering(described: unknown, before: string | undefined): string | undefined {
  if (typeof described !== 'string') return before
  const ordering = hash('sha256', described).slice(0, 16)
  if (before !== undefined && before !== ordering) throw foreignKey('its type or its collation has changed')
  return ordering
}

/**
 * The file or the server's table that is read; undefined for a server's query. Throws ResumePointError if it was
 * another one before: the new one may have rows before the last key that the old one lacked.
 */
export function sameFile(now: string | undefined, before: string | undefined): string | undefined {
  if (now !== undefined && before !== undefined && now !== before)
    throw new ResumePointError('another file or table has taken its place')
  return now
}

/** Parses a checkpoint. Throws ResumePointError if it belongs to another key. */
export function pointOf(resume: string, key: readonly string[]): Point {
  const point = schema
    .refine((point) => isDeepStrictEqual(point.key, key) && point.last.length === key.length)
    .safeParse(json(resume))
  if (!point.success) throw foreignKey(`${resume.slice(0, 100)} is not one of ${key.join(', ')}`)
  return point.data
}

/** The error for a last key that can't be one of this key: the list is read from its start. */
export const foreignKey = (why: string): ResumePointError =>
  new ResumePointError(`the last key that was read doesn't fit this key: ${why}`)

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
