/** Opens the plugins and asks them for what changes nothing. */
import { randomUUID } from 'node:crypto'
import type { FilterCounts } from '../../pipeline/input/filters/filters.js'
import type { SinkDeps, SourceDeps } from '../../pipeline/parts.js'
import type { Sink } from '../../plugin.js'
import { plural } from '../../words.js'
import type { ConfigParts } from './index.js'

export type CheckedSource = SourceDeps & { readonly filterCounts: FilterCounts | undefined }

/** Reads the first batch. */
export async function firstBatch(
  checked: CheckedSource,
  judge: ConfigParts['judge'],
): Promise<{ words: string; isEmpty: boolean }> {
  const { open, filterCounts } = checked
  const source = await open()
  const batches = source.read(undefined)[Symbol.asyncIterator]()
  try {
    const first = await batches.next()
    await batches.return?.()
    const read = first.done ? 0 : first.value.locations.length
    const leftOut = filterCounts && filterCounts.leftOut > 0 ? ` (${filterCounts.leftOut} left out by filters)` : ''
    const judged = judge(checked, first.done ? undefined : first.value)
    return { words: `${plural(read, 'location')} read${leftOut}${judged}`, isEmpty: first.done === true }
  } finally {
    await source.close?.()
  }
}

/** A sink that was looked at. */
export type SeenSink = { readonly address: string } & Pick<Sink, 'position'>

/**
 * Calls only what doesn't write. jsonl isn't even opened, since that creates its file.
 *
 * @param judge throws if a delivery to this sink would be refused
 */
export async function trySink(
  { name, address, open }: SinkDeps,
  judge: (sink: SeenSink) => Promise<void> = async () => undefined,
): Promise<string> {
  if (name === 'jsonl') {
    if (address !== undefined) await judge({ address })
    return 'jsonl: there is nothing to connect to'
  }
  const sink = await open()
  const position = sink.position?.bind(sink)
  try {
    await (sink.check ? sink.check() : position?.(randomUUID()))
    await judge({ address: sink.address ?? name, position })
    if (!sink.check && !position) return `${name} was opened; it can't be asked anything without being written to`
    return `${name} was opened and answered`
  } finally {
    await sink.close?.()
  }
}
