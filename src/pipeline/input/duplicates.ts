/** Decides exactly what the Bloom filters could only suspect: which locations of a run its slot has had before. */
import type { Outbox, Rejection, RunRow } from '../../outbox/outbox.js'
import { taskIdOf } from '../../tasks/id.js'
import { IdSum } from '../../tasks/id-sum.js'
import { step } from '../../trace.js'
import { excerpt } from './intake.js'

/** Suspects that are compared in one pass over the slot's tasks. */
const suspectsAPass = 20_000

/** Compares a run's suspects with what its slot really has; then all of the run's tasks are stored. */
export async function decideSuspects(run: RunRow, outbox: Outbox): Promise<void> {
  if (run.state !== 'checking') return
  while (await decideSome(run, outbox));
  await outbox.ledger.endChecking(run)
  step('checking:ended')
}

/** False once none is left. */
async function decideSome(run: RunRow, outbox: Outbox): Promise<boolean> {
  const suspects = (await outbox.intake.suspects(run, suspectsAPass)).map((row) => ({
    ...row,
    taskId: taskIdOf(row.task),
  }))
  const last = suspects.at(-1)
  if (!last) return false
  const broughtBy = await whoBrought(new Set(suspects.map(({ taskId }) => taskId)), run, outbox)
  const tasks: string[] = []
  const idSum = new IdSum()
  const duplicates: Rejection[] = []
  let repeated = 0
  for (const { task, taskId, position } of suspects) {
    const by = broughtBy.get(taskId)
    if (by === undefined) {
      tasks.push(task)
      idSum.add(taskId.replaceAll('-', ''))
      broughtBy.set(taskId, 'this run')
    } else if (by === 'an earlier run') repeated++
    else {
      const reason = `this run has the same location already (task ${taskId})`
      duplicates.push({ kind: 'duplicate', position, value: excerpt(task), reason })
    }
  }
  const batches = outbox.cut(tasks)
  const decided = { rejections: duplicates, suspects: [], decided: last.id, repeated, idSum: idSum.toString() }
  await outbox.intake.write(run, { checkpoint: null, read: 0, batches, ...decided })
  return true
}

type Bringer = 'this run' | 'an earlier run'

/** Which of these ids the slot has, and who brought them. */
async function whoBrought(ids: ReadonlySet<string>, run: RunRow, outbox: Outbox): Promise<Map<string, Bringer>> {
  const found = new Map<string, Bringer>()
  for await (const batch of outbox.intake.idsOfSlot(run.slot))
    if (!run.again || batch.run === run.id)
      for (const id of batch.ids) if (ids.has(id)) found.set(id, batch.run === run.id ? 'this run' : 'an earlier run')
  return found
}
