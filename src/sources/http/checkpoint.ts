/** The checkpoint: where the next page is, how much came before it, and how to notice that pages have shifted. */
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
  /** The last page that was read, if others follow, and a hash of its places. Older versions lack it. */
  last: lastPage.optional(),
  count: z.number(),
  total: z.number().optional(),
  /** How many pages were read. */
  pages: z.number().optional(),
  /** Why the list isn't whole, if its end showed that. */
  doubt: z.string().optional(),
})
export type Checkpoint = z.output<typeof schema>

/** Of all of the URL: with another key in it, the list may be another one, and resuming would skip items. */
export const identityOf = ({ url, pagination, items }: Options): string =>
  hash('sha256', JSON.stringify([url, pagination, items])).slice(0, 16)

/** Throws ResumePointError if the checkpoint is another list's, or another source's. */
export function parseCheckpoint(resume: string, identity: string): Checkpoint {
  try {
    const point = schema.parse(JSON.parse(resume))
    if (point.of === identity) return point
  } catch {
    // It is another source's.
  }
  throw new ResumePointError('the list is another one now')
}
