/** How many tasks the next start will send to the sink. */
import { MoreThan } from 'typeorm'
import { runs } from '../sqlite/entities.js'
import { pendingIn } from './totals.js'
import { read } from './view.js'

/** The pending ones, and as many as the last run that stored any. Undefined if there is no outbox yet. */
export async function nextTasksIn(path: string): Promise<number | undefined> {
  return read(path, async (view) => {
    const [last] = await view.manager.find(runs, {
      select: { id: true, persisted: true },
      where: { persisted: MoreThan(0) },
      order: { id: 'DESC' },
      take: 1,
    })
    const pending = await pendingIn(view)
    return pending + (last?.persisted ?? 0)
  })
}
