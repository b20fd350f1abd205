/** The places that an outbox knows, each with its newest task. */
import { type EntityManager, In, MoreThan } from 'typeorm'
import { mapKey, numberIn } from '../../../tasks/place.js'
import { type DeadRow, deadTasks, rejectedRecords, runs } from '../../sqlite/entities.js'
import { positionIn } from '../../state.js'
import { batchesIn, parsed, type View } from '../view.js'

interface NewestOfPlace {
  state: 'delivered' | 'pending' | 'dead' | 'discarded' | 'rejected'
  /** Degrees; NaN if a rejected record has no usable ones. */
  latitude: number
  longitude: number
  /** Of a rejected record without a city: the record. */
  city: string
  region: string
  slot: string
  /** Why it is dead, rejected or still pending; else ''. */
  reason: string
}

export interface NewestPlaces {
  places: NewestOfPlace[]
  /** The `mapKey` of each further place. */
  others: ReadonlySet<string>
  /** Whether `others` is complete. */
  isWhole: boolean
}

/** How many tasks are read, newest first. */
const mostTasks = 1_000_000

/** At most `most` places: first the dead and rejected ones, then the newest. Only the newest slot's rejected ones. */
export async function newestPlacesIn(view: View, most: number): Promise<NewestPlaces> {
  const { manager } = view
  const slots = new Map(
    (await manager.find(runs, { select: { id: true, slot: true } })).map(({ id, slot }) => [id, slot]),
  )
  const newest = new Map<string, NewestOfPlace & { seq: number }>()
  const others = new Set<string>()
  const take = (seq: number, place: NewestOfPlace): void => {
    const key = mapKey(place)
    const known = newest.get(key)
    if (known ? known.seq < seq : newest.size < most) newest.set(key, { ...place, seq })
    else if (!known) others.add(key)
  }
  const where = { fate: 'dead' } as const
  for (const { seq, run, reason, task } of await manager.find(deadTasks, { where, order: { seq: 'DESC' }, take: most }))
    take(seq, { ...placeOf(parsed(task, view)), state: 'dead', slot: slots.get(run) ?? '', reason })
  const rejected = await rejectedIn(view, most)
  const [{ ackedSeq }, rows] = [await positionIn(manager), await passedOver(manager)]
  let read = 0
  // Once the places are full, only `most` more tasks are read, to count the others.
  let last = mostTasks
  for await (const { run, lastError, batch } of batchesIn(view, { backwards: true })) {
    if (newest.size + rejected.length >= most) last = Math.min(last, read + most)
    if (read > last) return { places: [...rejected, ...newest.values()], others, isWhole: false }
    for (const [index, task] of [...batch.tasks.entries()].reverse()) {
      const seq = batch.firstSeq + index
      const row = rows.get(seq)
      const state = stateOf(row?.fate, seq <= ackedSeq)
      const reason = row?.reason ?? (state === 'pending' ? lastError : null) ?? ''
      if (state) take(seq, { ...placeOf(parsed(task, view)), state, slot: slots.get(run) ?? '', reason })
    }
    read += batch.count
  }
  return { places: [...rejected, ...newest.values()], others, isWhole: true }
}

/** Undefined for a dead task, which is read elsewhere, and for one that was put back and has a later seq, too. */
function stateOf(fate: DeadRow['fate'] | undefined, isAcked: boolean): NewestOfPlace['state'] | undefined {
  if (fate === 'discarded') return fate
  if (fate === undefined || fate === 'held') return isAcked ? 'delivered' : 'pending'
  return undefined
}

async function passedOver(
  manager: EntityManager,
): Promise<Map<number, { fate: DeadRow['fate']; reason: string | null }>> {
  const rows = await manager.find(deadTasks, { select: { seq: true, fate: true, reason: true } })
  return new Map(rows.map(({ seq, fate, reason }) => [seq, { fate, reason: fate === 'held' ? null : reason }]))
}

async function rejectedIn({ manager }: View, most: number): Promise<NewestOfPlace[]> {
  const [newest] = await manager.find(runs, {
    select: { id: true, slot: true },
    where: { read: MoreThan(0) },
    order: { id: 'DESC' },
    take: 1,
  })
  const own = await manager.find(runs, { select: { id: true }, where: { slot: newest?.slot ?? '' } })
  const where = { run: In(own.map(({ id }) => id)), kind: 'rejected' } as const
  const rows = await manager.find(rejectedRecords, { where, order: { id: 'DESC' }, take: most })
  return rows.map(({ value, reason }) => ({
    ...recordOf(value),
    state: 'rejected',
    slot: newest?.slot ?? '',
    reason,
  }))
}

type Where = Pick<NewestOfPlace, 'latitude' | 'longitude' | 'city' | 'region'>

/** A record is usually JSON, but may be truncated, or any text. */
function recordOf(value: string): Where {
  const nowhere = { latitude: Number.NaN, longitude: Number.NaN, city: value, region: '' }
  try {
    const record: unknown = JSON.parse(value)
    if (typeof record !== 'object' || record === null) return nowhere
    const place = placeOf(record)
    return { ...place, city: place.city || value }
  } catch {
    return nowhere
  }
}

function placeOf(record: unknown): Where {
  const fields: Readonly<Record<string, unknown>> = { ...(typeof record === 'object' ? record : {}) }
  const degrees = (name: string, most: number): number => {
    const value = numberIn(fields[`${name}_deg`] ?? fields[name])
    return Math.abs(value) <= most ? value : Number.NaN
  }
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  return {
    latitude: degrees('latitude', 90),
    longitude: degrees('longitude', 180),
    city: text(fields['city']),
    region: text(fields['state']),
  }
}
