/** A list whose names are judged before its first records are given. */
import type { Location, Malformed } from '../../plugin.js'
import type { Mapping } from '../fields/mapping.js'
import type { Records } from '../formats/records.js'

/** Records that are held back until the names can be judged; a shorter list is judged at its end. */
const enough = 20

/** @param end asked at the end what is wrong with the last record there; throws where the list can't be whole */
export async function* judged(
  chunks: AsyncIterable<Records>,
  mapping: Mapping,
  end: (last: Location | Malformed) => void = () => undefined,
): AsyncGenerator<Records> {
  let held: Records[] | undefined = []
  let count = 0
  let last: Location | Malformed | undefined
  try {
    for await (const chunk of chunks) {
      mapping.count(chunk.records)
      last = chunk.records.at(-1) ?? last
      if (!held) {
        yield chunk
        continue
      }
      held.push(chunk)
      count += chunk.records.length
      if (count < enough) continue
      mapping.judge(false)
      yield* held
      held = undefined
    }
  } catch (error) {
    // What was read before a fault is given, of a short list, too.
    if (held) {
      mapping.judge(false)
      yield* held
    }
    throw error
  }
  mapping.judge(true)
  if (held) yield* held
  if (last) end(last)
}
