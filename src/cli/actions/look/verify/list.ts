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
  const [{ pagesOf }, { cadenceOf, dueIn }, { checkedIn, textJudgeIn }, { taskIdOf }] = await Promise.all([
    import('../../../../pipeline/input/pages.js'),
    import('../../../../pipeline/input/cadence.js'),
    import('../../../../pipeline/input/judge.js'),
    import('../../../../tasks/id.js'),
  ])
  const judge = textJudgeIn(dueIn(cadenceOf(run), windows), run.slot, run.namespace)
  const ids = new Set<string>()
  for await (const page of pagesOf(source, { signal }))
    for (const [index, location] of page.locations.entries()) {
      const judged = judge(location, checkedIn(page, index))
      if (judged !== 'not due' && 'text' in judged) ids.add(taskIdOf(judged.text))
    }
  return [...ids]
}
