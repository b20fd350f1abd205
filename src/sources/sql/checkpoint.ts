/** The checkpoint: the key's columns, and the last key that was read. */
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { ResumePointError } from '../../errors/index.js'

const schema = z.object({ key: z.array(z.string()), last: z.array(z.string()) })

export const checkpointOf = (key: readonly string[], last: readonly string[]): string => JSON.stringify({ key, last })

/** The last key that was read. Throws ResumePointError where the checkpoint belongs to another key. */
export function lastKeyOf(resume: string, key: readonly string[]): readonly string[] {
  const point = schema
    .refine((point) => isDeepStrictEqual(point.key, key) && point.last.length === key.length)
    .safeParse(json(resume))
  if (!point.success) throw foreignKey(`${resume.slice(0, 100)} is not one of ${key.join(', ')}`)
  return point.data.last
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
