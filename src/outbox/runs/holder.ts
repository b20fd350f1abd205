/**
 * Who holds an outbox, or held it last: JSON `{pid, host, command, since, told}` in its state. `told` passes from one
 * to the next: the runs whose rejected locations were told while their tasks wait for the sink.
 */
import { hostname } from 'node:os'
import { type EntityManager, In, MoreThan } from 'typeorm'
import { codeOf } from '../../errors/index.js'
import { isLocked } from '../../files/lock.js'
import { runs, states } from '../sqlite/entities.js'
import { jsonIn } from '../sqlite/json.js'

export interface Holder {
  pid: number
  host: string
  command: string
  since: string
}

/** Who holds the outbox or held it last; undefined where nobody has yet. */
export function holderIn(text: string | null): Holder | undefined {
  const found = jsonIn(text)
  if (typeof found !== 'object' || found === null) return undefined
  if (!('pid' in found && 'host' in found && 'command' in found && 'since' in found)) return undefined
  const { pid, host, command, since } = found
  return { pid: Number(pid), host: String(host), command: String(command), since: String(since) }
}

/**
 * Whether an owm is at work on an outbox; undefined where that can't be told. Only the lock knows: a container that is
 * gone had another host name, and a process id is used again. Where the lock can't be asked, a holder that this machine
 * no longer has is gone.
 */
export async function isHeld(path: string, holder: Holder | undefined): Promise<boolean | undefined> {
  return (await isLocked(path)) ?? (holder === undefined || isGone(holder) ? false : undefined)
}

/** Whether it is known that this process is gone: its name stays until the next holder writes its own. */
export const isGone = ({ pid, host }: Holder): boolean => host === hostname() && !isAlive(pid)

/** What begins or goes on with runs. */
const reading = ['owm produce', 'owm backfill', 'owm schedule run', 'owm outbox replay']

/** Whether an owm is at work that reads runs. */
export async function isReading(manager: EntityManager, path: string): Promise<boolean> {
  const [state] = await manager.find(states, { select: { id: true, holder: true } })
  const holder = holderIn(state?.holder ?? null)
  return holder !== undefined && reading.includes(holder.command) && (await isHeld(path, holder)) !== false
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM' // somebody else's
  }
}

/** The ids of the runs whose rejected locations were told. */
export function toldIn(text: string | null): string[] {
  const found = jsonIn(text)
  if (typeof found !== 'object' || found === null || !('told' in found) || !Array.isArray(found.told)) return []
  return found.told.map(String)
}

/** What a new holder writes: the one before it told what it told. */
export const holderText = (holder: Holder, before: string | null): string => withTold(holder, toldIn(before))

const withTold = (holder: object, told: readonly string[]): string =>
  JSON.stringify({ ...holder, told: told.length > 0 ? told : undefined })

/** Those of these runs that were done have pending tasks again: what they rejected was told. Part of a transaction. */
export async function openAgain(manager: EntityManager, runIds: readonly number[]): Promise<void> {
  const done = await manager.find(runs, { select: { id: true }, where: { id: In([...runIds]), state: 'done' } })
  const ids = done.map(({ id }) => id)
  await manager.update(runs, { id: In(ids) }, { state: 'read', finishedAt: null })
  await noteTold(manager, ids)
}

/**
 * Notes that what was rejected in the runs that wait for the sink was told. A part of a transaction.
 * @param among ids of runs, where it wasn't told of all of them
 */
export async function noteTold(manager: EntityManager, among?: readonly number[]): Promise<void> {
  const where = { state: 'read', rejected: MoreThan(0), ...(among && { id: In([...among]) }) } as const
  const found = (await manager.find(runs, { select: { id: true, runId: true }, where })).map(({ runId }) => runId)
  const [state] = await manager.find(states, { select: { id: true, holder: true } })
  const told = among ? [...new Set([...toldIn(state?.holder ?? null), ...found])] : found
  const holder = jsonIn(state?.holder ?? null)
  await manager.update(states, { id: 1 }, { holder: withTold(typeof holder === 'object' ? { ...holder } : {}, told) })
}
