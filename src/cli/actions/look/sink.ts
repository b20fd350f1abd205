/** The sink, read-only. */
import type { Loaded } from '../../../config/load.js'
import type { SinkDeps } from '../../../pipeline/parts.js'
import type { Sink } from '../../../plugin.js'
import { type Surroundings, sinkOf } from '../../compose.js'
import { plural } from '../../format.js'

/** Opens the sink read-only and closes it afterwards. Throws ConfigurationError, TransientError. */
export async function withSink<T>(
  loaded: Loaded,
  around: Surroundings,
  use: (sink: Sink, name: string) => Promise<T>,
): Promise<T> {
  const deps = await sinkOf(loaded, around, true)
  return whenOpen(deps, (sink) => use(sink, deps.name))
}

/** Closes the sink afterwards. */
export async function whenOpen<T>({ open }: Pick<SinkDeps, 'open'>, use: (sink: Sink) => Promise<T>): Promise<T> {
  const sink = await open()
  try {
    return await use(sink)
  } finally {
    await sink.close?.()
  }
}

/** Whether the sink still has this entry or an older one. */
export async function reachesBackTo({ entries }: Sink, entry: string): Promise<boolean> {
  for await (const _ of entries?.(undefined, entry) ?? []) return true
  return false
}

/** What removes entries by design: the bound, which trims only a full sink, or the readers. */
export async function removersOf(sink: Sink): Promise<{ readonly isFull: boolean; readonly readersRemove: boolean }> {
  const { entries, bound, readersRemove = false } = (await sink.inspect?.(true)) ?? { entries: 0, bound: null }
  return { isFull: bound !== null && entries >= bound, readersRemove }
}

/** `1 entry`, `4,000 entries` */
export const entriesOf = (entries: number): string => plural(entries, 'entry', 'entries')

/** The sink's address without its scheme: a configured URL may be a secret as a whole, which would be masked. */
export const addressOf = ({ address }: Sink): string | null => address?.replace(/^[a-z]+:\/\//, '') ?? null

/** Where the tasks go, in words. */
export const placeOfSink = ({ name, address }: { name: string | null; address: string | null }): string =>
  address ?? name ?? ''
