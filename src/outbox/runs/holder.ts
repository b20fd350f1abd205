/**
 * Who holds an outbox, or held it last: JSON `{pid, host, command, since, told}` in its state. Each holder takes over
 * `told` from the one before: the runs that wait for the sink and whose rejected locations have been reported.
 */
import { hostname } from 'node:os'
import { type EntityManager, In, MoreThan } from 'typeorm'
import { codeOf } from '../../errors/index.js'
import { isLocked } from '../../files/lock.js'
import { isObject } from '../../tasks/json/tree.js'
import { runs, states } from '../sqlite/entities.js'
import { jsonIn } from '../sqlite/json.js'
import { stateIn } from '../state.js'

export interface Holder {
  pid: number
  host: string
  command: string
  since: string
}

/** Who holds the outbox or held it last; undefined if there was no holder yet. */
export function holderIn(text: string | null): Holder | undefined {
  const json = jsonIn(text)
  if (!isObject(json) || !('pid' in json && 'host' in json && 'command' in json && 'since' in json)) return undefined
  const { pid, host, command, since } = json
  return { pid: Number(pid), host: String(host), command: String(command), since: String(since) }
}

/**
 * Whether an owm works on an outbox; undefined if that can't be determined. Only the lock proves it: a holder in a
 * container that is gone had another host name, and process ids are reused. If the lock can't be tested, a process of
 * this host that no longer runs is no holder.
 */
export async function isHeld(path: string, holder: Holder | undefined): Promise<boolean | undefined> {
  return (await isLocked(path)) ?? (holder === undefined || isGone(holder) ? false : undefined)
}

/** Whether this process is known to be gone: its record stays until the next holder writes its own. */
export const isGone = ({ pid, host }: Holder): boolean => host === hostname() && !isAlive(pid)

/** Commands that start or resume runs. */
const readingCommands = ['owm produce', 'owm backfill', 'owm schedule run', 'owm outbox replay']

/** Whether an owm that reads runs is at work, or may be. */
export async function isReading(manager: EntityManager, path: string): Promise<boolean> {
  const state = await stateIn(manager, 'holder')
  const holder = holderIn(state?.holder ?? null)
  return holder !== undefined && readingCommands.includes(holder.command) && (await isHeld(path, holder)) !== false
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM' // another user's process
  }
}

/** The ids of the runs whose rejected locations have been reported. */
export function toldIn(text: string | null): string[] {
  const json = jsonIn(text)
  return isObject(json) && 'told' in json && Array.isArray(json.told) ? json.told.map(String) : []
}

/** The column's text for a new holder, with what was reported before. */
export const holderText = (holder: Holder, before: string | null): string => withTold(holder, toldIn(before))

const withTold = (holder: object, told: readonly string[]): string =>
  JSON.stringify({ ...holder, told: told.length > 0 ? told : undefined })

/** Reopens those of these runs that were done: they have pending tasks again. Part of a transaction. */
export async function openAgain(manager: EntityManager, runIds: readonly number[]): Promise<void> {
  const done = await manager.find(runs, { select: { id: true }, where: { id: In([...runIds]), state: 'done' } })
  const ids = done.map(({ id }) => id)
  await manager.update(runs, { id: In(ids) }, { state: 'read', finishedAt: null })
  await noteTold(manager, ids)
}

/**
 * Notes that the rejected locations of the runs that wait for the sink have been reported. Part of a transaction.
 * @param among only of the runs with these row ids
 */
export async function noteTold(manager: EntityManager, among?: readonly number[]): Promise<void> {
  const where = { state: 'read', rejected: MoreThan(0), ...(among && { id: In([...among]) }) } as const
  const runIds = (await manager.find(runs, { select: { id: true, runId: true }, where })).map(({ runId }) => runId)
  const { holder: text } = (await stateIn(manager, 'holder')) ?? { holder: null }
  const told = among ? [...new Set([...toldIn(text), ...runIds])] : runIds
  const holder = jsonIn(text)
  await manager.update(states, { id: 1 }, { holder: withTold(typeof holder === 'object' ? { ...holder } : {}, told) })
}
