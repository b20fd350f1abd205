/** The run that last read a source's list. Reads only. */
import { lastList } from '../../runs/last-list.js'
import type { RunRow } from '../../sqlite/entities.js'
import { isUpToDate, read } from '../view.js'

/** Undefined if no run has read it, or the outbox is missing or of an older version. */
export const lastListIn = (path: string, sourceDigest: string): Promise<RunRow | undefined> =>
  read(path, async (view) => (isUpToDate(view) ? lastList(view.manager, sourceDigest) : undefined))
