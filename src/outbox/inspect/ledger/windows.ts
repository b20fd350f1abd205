/** Which windows a run would serve whose slot lies in an interval, or has a run: read-only. */

import { beginInside, type Windows, windowsOf } from '../../runs/windows.js'
import type { RunRow } from '../../sqlite/entities.js'
import { isUpToDate, read } from '../view.js'

/**
 * @param given see `beginInside`
 * @returns with the cadence that the run would have; undefined where an outbox is missing, or of an older version
 */
export async function windowsInside(
  path: string,
  slot: string,
  given: { from?: number | undefined; cadence: string | null },
): Promise<{ windows: Windows; cadence: RunRow['cadence'] } | undefined> {
  return read(path, async (view) => {
    if (!isUpToDate(view)) return undefined
    const { windowsFrom, cadence } = await beginInside(view.manager, slot, given)
    return { windows: await windowsOf(view.manager, { slot, windowsFrom }), cadence }
  })
}
