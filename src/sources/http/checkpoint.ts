/** The checkpoint: where the next page is, how much came before it, and what tells whether it is still there. */
import { hash } from 'node:crypto'
import * as z from 'zod'
import { ResumePointError } from '../../errors/index.js'
import type { Options } from './options.js'

const place = z.union([z.number(), z.string(), z.null()])

const lastPage = z.strictObject({ at: place, hash: z.string() })
export type LastPage = z.output<typeof lastPage>

const schema = z.strictObject({
  /** Hash of what the list is. */
  of: z.string(),
  /** Null after the last page. */
  next: place,
  /** The last page that was read, where others follow, and a hash of the places in it. Older versions lack it. */
  last: lastPage.optional(),
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
