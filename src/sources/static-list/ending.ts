/** Whether a list ends properly, or was cut off by a failed program or transfer. */
import { brokenIn, damaged } from '../formats/records.js'
import { type Ending, errorInLastComment } from '../signs/trailing-error.js'
import type { List } from './file.js'
import type { Options } from './options.js'

/** How many characters of a list's end are kept. */
const tailLength = 1_000

const hint = 'Fetch the list again, or correct its end if it is whole; what stands before that was read.'

/** A list, and the check of its end once all of it was read: throws ConfigurationError if it is cut off. */
export function endingOf(list: List, given: Options): { list: List; check(ending: Ending): void } {
  // Formats with brackets show their end themselves; YAML is read as a whole.
  const isLines = !['json', 'geojson', 'yaml'].includes(list.format)
  let tail = ''
  async function* text(): AsyncGenerator<string> {
    for await (const chunk of list.text()) {
      tail = (chunk.length < tailLength ? tail + chunk : chunk).slice(-tailLength)
      yield chunk
    }
  }
  return {
    list: isLines ? { ...list, text } : list,
    check({ error, last }) {
      const said = error ?? errorInLastComment(tail, given.comment)
      if (said !== undefined) throw damaged(list.name, `ends in an error: ${said}`, hint)
      const why = isLines ? brokenIn(last, tail, list.format, given) : undefined
      if (why !== undefined) throw damaged(list.name, `breaks off in its last record: ${why}`, hint)
    },
  }
}
