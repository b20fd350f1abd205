/** Which windows a run would serve if its slot lies in an interval or has a run already. Reads only. */
import { beginInside, type Windows, windowsOf } from '../../runs/windows.js'
import type { RunRow } from '../../sqlite/entities.js'
import { isUpToDate, read } from '../view.js'

/**
 * @param own see `beginInside`
 * @returns with the cadence that the run would have; undefined if the outbox is missing, or of an older version
 */
export async function windowsInside(
  path: string,
  slot: string,
  own: { from?: number | undefined; cadence: string | null },
): Promise<{ windows: Windows; cadence: RunRow['cadence'] } | undefined> {
  return read(path, async (view) => {
    if (!isUpToDate(view)) return undefined
    const { windowsFrom, cadence } = await beginInside(view.manager, slot, own)
    return { windows: await windowsOf(view.manager, { slot, windowsFrom }), cadence }
  })
}
