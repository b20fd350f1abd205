/**
 * The checkpoint: the columns of the key, the last key that was read, what ordered it, how many rows were read, and of
 * which file.
 */
import { createHash } from 'node:crypto'
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
 * A digest of what orders the keys; undefined where the database doesn't tell. Throws ResumePointError where it was
 * another before: along another order, rows would be left out.
 */
export function sameOrdering(told: unknown, before: string | undefined): string | undefined {
  if (typeof told !== 'string') return before
  const ordering = createHash('sha256').update(told).digest('hex').slice(0, 16)
  if (before !== undefined && before !== ordering) throw foreignKey('its type or its collation has changed')
  return ordering
}

/**
 * The file that is read; undefined for a server's tables. Throws ResumePointError where it was another one before: what
 * that one didn't have may stand before the last key.
 */
export function sameFile(now: string | undefined, before: string | undefined): string | undefined {
  if (now !== undefined && before !== undefined && now !== before)
    throw new ResumePointError('another file has taken its place')
  return now
}

/** What a checkpoint says. Throws ResumePointError where the checkpoint belongs to another key. */
export function pointOf(resume: string, key: readonly string[]): Point {
  const point = schema
    .refine((point) => isDeepStrictEqual(point.key, key) && point.last.length === key.length)
    .safeParse(json(resume))
  if (!point.success) throw foreignKey(`${resume.slice(0, 100)} is not one of ${key.join(', ')}`)
  return point.data
}

/** A last key that can't be one of this key: the list is read from its start. */
export const foreignKey = (why: string): ResumePointError =>
  new ResumePointError(`the last key that was read doesn't fit this key: ${why}`)

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
