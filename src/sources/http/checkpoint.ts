/** The checkpoint: where the next page is, and how much came before it. */
import { hash } from 'node:crypto'
import * as z from 'zod'
import { ResumePointError } from '../../errors/index.js'
import type { Options } from './options.js'

const schema = z.strictObject({
  /** Hash of what the list is. */
  of: z.string(),
  /** Null after the last page. */
  next: z.union([z.number(), z.string(), z.null()]),
  count: z.number(),
  total: z.number().optional(),
  /** Pages that were read. */
  pages: z.number().optional(),
  /** Why what came is no whole list, where that showed at its end. */
  doubt: z.string().optional(),
})
export type Checkpoint = z.output<typeof schema>

/** All of the URL: what another key may see can be another list, of which reading on would miss some. */
export const identityOf = ({ url, pagination, items }: Options): string =>
  hash('sha256', JSON.stringify([url, pagination, items])).slice(0, 16)

/** Throws ResumePointError where the checkpoint is another list's, or another source's. */
export function parseCheckpoint(resume: string, identity: string): Checkpoint {
  try {
    const point = schema.parse(JSON.parse(resume))
    if (point.of === identity) return point
  } catch {
    // It is another source's.
  }
  throw new ResumePointError('the list is another one now')
}
