/** Checks the names of a list before its first records are yielded. */
import type { Mapping } from '../fields/mapping.js'
import type { Records } from '../formats/records.js'
import { Ending } from '../signs/trailing-error.js'

/** So many records are held back until the names can be checked; a shorter list is checked at its end. */
const heldRecords = 20

/** @param end is called with the list's ending, and throws if the list can't be whole */
export async function* judged(
  chunks: AsyncIterable<Records>,
  mapping: Mapping,
  end: (ending: Ending) => void = () => undefined,
): AsyncGenerator<Records> {
  let held: Records[] | undefined = []
  let count = 0
  const ending = new Ending()
  try {
    for await (const chunk of chunks) {
      mapping.count(chunk.records)
      ending.add(chunk.records)
      if (!held) {
        yield chunk
        continue
      }
      held.push(chunk)
      count += chunk.records.length
      if (count < heldRecords) continue
      mapping.judge(false)
      yield* held
      held = undefined
    }
  } catch (error) {
    // What was read before the fault is yielded, even of a short list.
    if (held) {
      mapping.judge(false)
      yield* held
    }
    throw error
  }
  mapping.judge(true)
  if (held) yield* held
  if (ending.last) end(ending)
}
