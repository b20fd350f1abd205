/** A list whose names are judged before its first records are given. */
import type { Mapping } from '../fields/mapping.js'
import type { Records } from '../formats/records.js'

/** Records that are held back until the names can be judged; a shorter list is judged at its end. */
const enough = 20

export async function* judged(chunks: AsyncIterable<Records>, mapping: Mapping): AsyncGenerator<Records> {
  let held: Records[] | undefined = []
  let count = 0
  for await (const chunk of chunks) {
    mapping.count(chunk.records)
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
  mapping.judge(true)
  if (held) yield* held
}
