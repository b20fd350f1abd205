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
  const [{ pagesOf }, { cadenceOf, dueIn }, { checkedIn, judgeIn }, { maxTaskBytes }, { taskIdOf }, { Utf8 }] =
    await Promise.all([
      import('../../../../pipeline/input/pages.js'),
      import('../../../../pipeline/input/cadence.js'),
      import('../../../../pipeline/input/judge.js'),
      import('../../../../tasks/encode.js'),
      import('../../../../tasks/id.js'),
      import('../../../../tasks/bytes.js'),
    ])
  const judge = judgeIn(dueIn(cadenceOf(run), windows), run.slot, run.namespace)
  const task = new Utf8(maxTaskBytes)
  const ids = new Set<string>()
  for await (const page of pagesOf(source, { signal }))
    for (const [index, location] of page.locations.entries()) {
      task.end = 0
      const judged = judge(location, checkedIn(page, index), task)
      if (judged !== 'not due' && 'digits' in judged) ids.add(taskIdOf(task.toString()))
    }
  return [...ids]
}
