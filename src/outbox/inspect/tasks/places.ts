/** Which places one set of runs has and another one lacks. */
import { In } from 'typeorm'
import { placeIn } from '../../../tasks/place.js'
import { putBackOf, tasksKept } from '../../runs/kept.js'
import { deadTasks, runs } from '../../sqlite/entities.js'
import { batchesIn, type View } from '../view.js'

interface OnlyThere {
  count: number
  /** The first of them: JSON of the task, as stored. */
  examples: string[]
}

/** Places are compared by what is asked of the weather API, since a place's task ids differ between runs. */
export interface Difference {
  both: number
  onlyA: OnlyThere
  onlyB: OnlyThere
}

/**
 * Compares the stored tasks of runs; undefined if the history lacks some of them. Keeps a text for each place of A in
 * memory.
 */
export async function differenceOf(
  view: View,
  a: readonly string[],
  b: readonly string[],
  mostExamples: number,
): Promise<Difference | undefined> {
  const places = new Set<string>()
  if (!(await isKept(view, a)) || !(await isKept(view, b))) return undefined
  for await (const task of tasksOf(view, a)) places.add(placeIn(task))
  const both = new Set<string>()
  const onlyB: OnlyThere = { count: 0, examples: [] }
  for await (const task of tasksOf(view, b)) {
    const place = placeIn(task)
    if (places.has(place)) both.add(place)
    else addTo(onlyB, task, mostExamples)
  }
  const onlyA: OnlyThere = { count: places.size - both.size, examples: [] }
  if (onlyA.count > 0)
    for await (const task of tasksOf(view, a)) {
      if (onlyA.examples.length === Math.min(mostExamples, onlyA.count)) break
      if (!both.has(placeIn(task))) onlyA.examples.push(task)
    }
  return { both: both.size, onlyA, onlyB }
}

function addTo(there: OnlyThere, task: string, mostExamples: number): void {
  there.count++
  if (there.examples.length < mostExamples) there.examples.push(task)
}

async function isKept({ manager }: View, runIds: readonly string[]): Promise<boolean> {
  for (const { id: run, persisted } of await manager.find(runs, {
    select: { id: true, persisted: true },
    where: { runId: In([...runIds]) },
  })) {
    if ((await tasksKept(manager, run)) < persisted) return false
  }
  return true
}

/** Each task once, as stored. */
async function* tasksOf(view: View, runIds: readonly string[]): AsyncGenerator<string> {
  const { manager } = view
  for (const runId of runIds) {
    const [run] = await manager.find(runs, { select: { id: true }, where: { runId } })
    if (!run) continue
    const copies = await manager.find(deadTasks, {
      select: { seq: true },
      where: putBackOf(run.id),
    })
    const isCopy = new Set(copies.map(({ seq }) => seq))
    for await (const { batch } of batchesIn(view, { runs: [run.id] }))
      for (const [index, task] of batch.tasks.entries()) if (!isCopy.has(batch.firstSeq + index)) yield task
  }
}
