/** How long a source's list was last time: read-only. */
import { lastList } from '../../runs/last-list.js'
import type { RunRow } from '../../sqlite/entities.js'
import { isUpToDate, read } from '../view.js'

/** Undefined where no run has read it, and where an outbox is missing, or of an older version. */
export const lastListIn = (path: string, sourceDigest: string): Promise<RunRow | undefined> =>
  read(path, async (view) => (isUpToDate(view) ? lastList(view.manager, sourceDigest) : undefined))
