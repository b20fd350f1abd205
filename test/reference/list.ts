/** The source of the model: a list in pages, with records that are rejected, and checkpoints that may be gone. */
import { setImmediate as turn } from 'node:timers/promises'
import { ResumePointError } from '../../src/errors/index.js'
import { type Location, type LocationBatch, Malformed } from '../../src/plugin.js'

/** A valid location by its number (the same number twice is a duplicate), or a record that must be rejected. */
export type Item = number | 'out of range' | 'malformed'

export interface List {
  readonly items: readonly Item[]
  readonly version: number
  /** Of the source's options: part of a checkpoint's validity. */
  readonly digest: number
}

const locationOf = (item: Item): Location | Malformed => {
  if (item === 'malformed') return new Malformed('a;b', 'too few columns')
  if (item === 'out of range') return { latitude: 91, longitude: 0, city: 'Nowhere' }
  return { id: `L${item}`, latitude: item, longitude: -item, city: `City ${item}` }
}

export const validIn = (items: readonly Item[]): number[] => items.filter((item) => typeof item === 'number')

export interface SourceFault {
  page: number
  kind: 'transient' | 'checkpoint'
}

/** Pages of a list; its checkpoints hold for one version of the list, as those of a file do. */
export async function* pagesOf(
  list: List,
  pageSize: number,
  fault: SourceFault | undefined,
  resume: string | undefined,
): AsyncGenerator<LocationBatch> {
  const [version, index] = (resume ?? `${list.version}:0`).split(':').map(Number)
  if (version !== list.version) throw new ResumePointError('the list has changed')
  for (let from = index ?? 0, page = 0; from < list.items.length; from += pageSize, page++) {
    if (page === fault?.page)
      throw fault.kind === 'transient' ? new Error('the source broke down') : new ResumePointError('the cursor is gone')
    await turn()
    const items = list.items.slice(from, from + pageSize)
    yield {
      locations: items.map(locationOf),
      resume: `${list.version}:${from + items.length}`,
      position: (at) => `item ${from + at}`,
    }
  }
}
