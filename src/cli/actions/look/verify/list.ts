/** The task ids that the source's list has for a run. */
import type { RunRow } from '../../../../outbox/outbox.js'
import type { Windows } from '../../../../outbox/runs/windows.js'
import type { SourceDeps } from '../../../../pipeline/parts.js'
import { tasksListed } from '../../../../pipeline/slots/other-list.js'
import { taskIdOf } from '../../../../tasks/id.js'

/** Reads the source once. Locations that aren't due, can't be tasks or are duplicates have no id. */
export async function listedIds(
  source: SourceDeps,
  run: RunRow,
  windows: Windows,
  signal: AbortSignal,
): Promise<string[]> {
  const ids = new Set<string>()
  for await (const { text } of tasksListed(source, run, windows, signal)) ids.add(taskIdOf(text))
  return [...ids]
}
