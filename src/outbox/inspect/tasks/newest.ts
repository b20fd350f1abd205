/** Each place that an outbox knows of, by its newest task. */
import { type EntityManager, In, MoreThan } from 'typeorm'
import { mapKey, numberIn } from '../../../tasks/place.js'
import { type DeadRow, deadTasks, rejectedRecords, runs } from '../../sqlite/entities.js'
import { positionIn } from '../../state.js'
import { batchesIn, parsed, type View } from '../view.js'

interface NewestOfPlace {
  state: 'delivered' | 'pending' | 'dead' | 'discarded' | 'rejected'
  /** Degrees; NaN where a rejected record has no usable ones. */
  latitude: number
  longitude: number
  /** Of a rejected record without one: the record. */
  city: string
  region: string
  slot: string
  /** Why it is dead, rejected or still pending; else ''. */
  reason: string
}

export interface NewestPlaces {
  places: NewestOfPlace[]
  /** The `mapKey` of each of the others. */
  others: ReadonlySet<string>
  /** Whether those are all others. */
  isWhole: boolean
}

/** Older tasks aren't looked at. */
const mostTasks = 1_000_000

/** At most so many: first what is dead or rejected, then the newest. Rejected are those of the newest slot. */
export async function newestPlacesIn(view: View, most: number): Promise<NewestPlaces> {
  const { manager } = view
  const slots = new Map(
    (await manager.find(runs, { select: { id: true, slot: true } })).map(({ id, slot }) => [id, slot]),
  )
  const found = new Map<string, NewestOfPlace & { seq: number }>()
  const others = new Set<string>()
  const take = (seq: number, place: NewestOfPlace): void => {
    const key = mapKey(place)
    const known = found.get(key)
    if (known ? known.seq < seq : found.size < most) found.set(key, { ...place, seq })
    else if (!known) others.add(key)
  }
  const where = { fate: 'dead' } as const
  for (const { seq, run, reason, task } of await manager.find(deadTasks, { where, order: { seq: 'DESC' }, take: most }))
    take(seq, { ...placeOf(parsed(task, view)), state: 'dead', slot: slots.get(run) ?? '', reason })
  const rejected = await rejectedIn(view, most)
  const [{ ackedSeq }, passed] = [await positionIn(manager), await passedOver(manager)]
  let looked = 0
  // Once there is no room for more, only as many tasks again are read: they serve to count the others.
  let last = mostTasks
  for await (const { run, lastError, batch } of batchesIn(view, { backwards: true })) {
    if (found.size + rejected.length >= most) last = Math.min(last, looked + most)
    if (looked > last) return { places: [...rejected, ...found.values()], others, isWhole: false }
    for (const [index, task] of [...batch.tasks.entries()].reverse()) {
      const seq = batch.firstSeq + index
      const one = passed.get(seq)
      const state = stateOf(one?.fate, seq <= ackedSeq)
      const reason = one?.reason ?? (state === 'pending' ? lastError : null) ?? ''
      if (state) take(seq, { ...placeOf(parsed(task, view)), state, slot: slots.get(run) ?? '', reason })
    }
    looked += batch.count
  }
  return { places: [...rejected, ...found.values()], others, isWhole: true }
}

/** Undefined where the task has a later seq, too, or is among the dead ones. */
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

/** A record is JSON as a rule, and may be cut, or anything. */
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

function placeOf(given: unknown): Where {
  const fields: Readonly<Record<string, unknown>> = { ...(typeof given === 'object' ? given : {}) }
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
