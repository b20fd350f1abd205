/** The task ids that the source's list has for a run. */
import type { RunRow } from '../../../../outbox/outbox.js'
import type { Windows } from '../../../../outbox/runs/windows.js'
import type { SourceDeps } from '../../../../pipeline/parts.js'

/** Reads the source, once. Locations that aren't due, can't be tasks, or have the id of one before, have none. */
export async function listedIds(
  source: SourceDeps,
  run: RunRow,
  windows: Windows,
  signal: AbortSignal,
): Promise<string[]> {
  const [{ pagesOf }, { cadenceOf, dueIn }, { taskMaker }, { placeOf }, { taskIdOf }, { isMalformed }] =
    await Promise.all([
      import('../../../../pipeline/input/pages.js'),
      import('../../../../pipeline/input/cadence.js'),
      import('../../../../tasks/encode.js'),
      import('../../../../tasks/place.js'),
      import('../../../../tasks/id.js'),
      import('../../../../plugin.js'),
    ])
  const dueOf = dueIn(cadenceOf(run), windows)
  const make = taskMaker(run.slot, run.namespace)
  const ids = new Set<string>()
  for await (const { locations } of pagesOf(source, signal))
    for (const location of locations) {
      if (isMalformed(location)) continue
      const place = placeOf(location)
      const due = 'reason' in place ? place : dueOf(location, place)
      if (due === 'not due' || 'reason' in due) continue
      const task = make(location, due.window)
      if (typeof task === 'string') ids.add(taskIdOf(task))
    }
  return [...ids]
}
