/** Outboxes, named after their pipelines, that were left behind when a pipeline was renamed. Reads only. */
import { readdir } from 'node:fs/promises'
import { format, join, parse } from 'node:path'
import { In } from 'typeorm'
import { isLocked } from '../../files/lock.js'
import { compact } from '../../lists.js'
import { plural } from '../../words.js'
import { unfinishedStates } from '../runs/run-states.js'
import { runs } from '../sqlite/entities.js'
import { ownerIn, pendingIn } from './totals.js'
import { read } from './view.js'

/** Where pipelines of one configuration have their outboxes. */
interface Family {
  /** The path as configured, `/var/lib/owm/outbox.db`: each pipeline has `outbox-NAME.db` there. */
  readonly shared: string
  readonly pipelines: readonly string[]
}

interface LeftBehind {
  readonly path: string
  /** The pipeline that owns it; null if none has claimed it yet. */
  readonly owner: string | null
  readonly pending: number
  readonly openRuns: number
}

/**
 * Outboxes of the shared path with unfinished work that belong to none of these pipelines, and that no process holds.
 * Those that can't be read, such as another user's, are left out.
 */
export async function leftBehind({ shared, pipelines }: Family): Promise<LeftBehind[]> {
  const { dir, name, ext } = parse(shared)
  const own = new Set(pipelines.map((pipeline) => format({ dir: '', name: `${name}-${pipeline}`, ext })))
  const isAnother = (file: string): boolean =>
    (file === name + ext || (file.startsWith(`${name}-`) && file.endsWith(ext))) &&
    !file.includes(`${ext}-trial-`) &&
    !own.has(file)
  const files = await readdir(dir).catch(() => [])
  const leftovers: LeftBehind[] = []
  for (const file of files.filter(isAnother).sort()) {
    const outbox = await workIn(join(dir, file)).catch(() => undefined)
    const isOurs = outbox?.owner != null && pipelines.includes(outbox.owner)
    if (outbox && !isOurs && outbox.pending + outbox.openRuns > 0) leftovers.push(outbox)
  }
  return leftovers
}

/** `/var/lib/owm/outbox-hourly.db, of hourly, has 3,058 pending tasks and 1 unfinished run` */
export function leftInWords({ path, owner, pending, openRuns }: LeftBehind): string {
  const work = compact(
    pending > 0 && plural(pending, 'pending task'),
    openRuns > 0 && plural(openRuns, 'unfinished run'),
  )
  return `${path}${owner === null ? '' : `, of ${owner},`} has ${work.join(' and ')}`
}

async function workIn(path: string): Promise<LeftBehind | undefined> {
  if ((await isLocked(path)) === true) return undefined
  return read(path, async (view) => ({
    path,
    owner: await ownerIn(view),
    pending: await pendingIn(view),
    openRuns: await view.manager.countBy(runs, { state: In(unfinishedStates) }),
  }))
}
