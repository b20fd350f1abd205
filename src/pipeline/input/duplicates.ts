/** Compares a run's suspects exactly: those that, by the Bloom filters, its slot may have had before. */
import type { Outbox, RunRow, StoredRejection } from '../../outbox/outbox.js'
import { IdSum } from '../../tasks/ids/sum.js'
import { exactJson } from '../../tasks/json/exact.js'
import { parseJson } from '../../tasks/json/parse.js'
import { placeIn } from '../../tasks/place.js'
import { step } from '../../trace.js'
import { excerpt, otherPlace, otherPlaceHere } from './intake.js'
import type { Positions } from './positions.js'
import type { Merged, Rejects } from './rejects.js'

/** The most suspects that are compared in one pass over the slot's tasks. */
const suspectsAPass = 20_000

/** What this process knows of a run. */
interface ReadByUs {
  readonly rejects: Rejects
  /** Undefined if it has read nothing of the run. */
  positions?: Positions | undefined
}

/** Compares a run's suspects with the tasks of its slot; then all of the run's tasks are stored. */
export async function decideSuspects(run: RunRow, outbox: Outbox, read: ReadByUs): Promise<void> {
  if (run.state !== 'checking') return
  while (await decideSome(run, outbox, read));
  await outbox.ledger.endChecking(run)
  step('checking:ended')
}

/** Compares some suspects; false if none was left. */
async function decideSome(run: RunRow, outbox: Outbox, { rejects, positions }: ReadByUs): Promise<boolean> {
  const suspects = await outbox.intake.suspects(run, suspectsAPass)
  const last = suspects.at(-1)
  if (!last) return false
  const stored = await storedUnder(new Set(suspects.map(({ taskId }) => taskId)), run, outbox)
  const tasks: string[] = []
  const idSum = new IdSum()
  const set: StoredRejection[] = []
  let repeated = 0
  for (const { task, taskId, position } of suspects) {
    const by = stored.get(taskId)
    if (by === undefined) {
      tasks.push(task)
      idSum.add(taskId)
      stored.set(taskId, { task, position })
    } else if (by.isEarlier && placeIn(task) === placeIn(by.task)) {
      repeated++
      stored.set(taskId, { task, position })
    } else {
      const rejection = by.isEarlier
        ? ({ kind: 'rejected', position, value: excerpt(task), reason: otherPlace(run) } as const)
        : compared({ task, taskId, position }, by, { rejects, positions })
      set.push(rejection)
      if (by.isEarlier) rejects.conflicts++
      if (rejection.kind === 'rejected') rejects.add(rejection, by.isEarlier ? undefined : otherPlaceHere)
    }
  }
  const batches = outbox.cut(tasks)
  const decided = { rejections: set, suspects: [], decided: last.id, repeated, idSum: idSum.toString() }
  await outbox.intake.write(run, { checkpoint: null, read: 0, batches, ...decided })
  return true
}

/** A task of this run, with its position or its index among the run's tasks; or a task of an earlier run. */
interface StoredTask {
  readonly task: string
  readonly position?: string
  readonly index?: number
  readonly isEarlier?: boolean
}

/** The tasks that the slot has under these ids. */
async function storedUnder(ids: ReadonlySet<string>, run: RunRow, outbox: Outbox): Promise<Map<string, StoredTask>> {
  const found = new Map<string, StoredTask>()
  let own = 0
  for await (const batch of outbox.intake.idsOf(await outbox.ledger.comparedWith(run))) {
    const isOwn = batch.run === run.id
    for (const [index, id] of batch.ids.entries()) {
      if (!ids.has(id)) continue
      const task = batch.tasks[index] ?? ''
      found.set(id, isOwn ? { task, index: own + index } : { task, isEarlier: true })
    }
    if (isOwn) own += batch.ids.length
  }
  return found
}

/** The same place again is a duplicate; another place under the same id is rejected. */
function compared(
  { task, taskId, position }: { task: string; taskId: string; position: string },
  by: StoredTask,
  { rejects, positions }: ReadByUs,
): StoredRejection {
  const value = excerpt(task)
  // guard: other-place-rejected
  if (placeIn(task) === placeIn(by.task)) {
    const { keys, values } = differencesOf(by.task, task)
    // guard: merged-told
    if (keys.length > 0) rejects.merge({ position, keys, values })
    const but = keys.length > 0 ? `, but for ${keys.join(', ')}` : ''
    return {
      kind: 'duplicate',
      position,
      value,
      reason: `this run has the same location already${but} (task ${taskId})`,
    }
  }
  const where = by.position ?? (by.index === undefined ? undefined : positions?.of(by.index)) ?? 'earlier in this run'
  return { kind: 'rejected', position, value, reason: `${otherPlaceHere}: ${where} (task ${taskId})` }
}

/** Keys that don't make a difference: the id of the place, and the trace. */
const notCompared = ['location_id', 'traceparent']

/** The keys whose values differ between two tasks, and both values of the first of these keys. */
function differencesOf(before: string, here: string): Pick<Merged, 'keys' | 'values'> {
  if (before === here) return { keys: [], values: ['', ''] }
  const [one, other] = [before, here].map((text) => new Map(Object.entries(Object(parseJson(text)))))
  const valueIn = (task: typeof one, key: string): string => exactJson(task?.get(key)) ?? 'none'
  const all = new Set([...(one?.keys() ?? []), ...(other?.keys() ?? [])])
  const keys = [...all].filter((key) => !notCompared.includes(key) && valueIn(one, key) !== valueIn(other, key))
  const [first = ''] = keys
  return { keys, values: [valueIn(one, first), valueIn(other, first)] }
}
