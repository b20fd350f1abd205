/** The lines of a file of tasks, as entries: `line 1`, `line 2`, … One that isn't ended yet is none. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { ifThere } from '../../files/folders.js'
import type { Entry } from '../../plugin.js'
import { taskIdAtStart } from '../../tasks/encode.js'

/** Bytes of a line that say whether it is a task, and which. Of the rest nothing is kept, however long it is. */
export const beginningBytes = 65

const lineFeed = 10

export async function* entriesIn(path: string, first?: string, last?: string): AsyncGenerator<Entry> {
  const [from, to] = [numberIn(first) ?? 1, numberIn(last) ?? Number.POSITIVE_INFINITY]
  let [number, head] = [1, '']
  for await (const chunk of chunksOf(path)) {
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(lineFeed, start)
      const stop = end < 0 ? chunk.length : end
      head += chunk.toString('latin1', start, Math.min(stop, start + beginningBytes - head.length))
      if (end < 0) break
      if (number > to) return
      if (number >= from) yield { id: `line ${number}`, taskId: taskIdAtStart(head) ?? '' }
      start = end + 1
      number++
      head = ''
    }
  }
}

/** A pipe would never end: only of a regular file there is anything to see. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = await ifThere(open(path, constants.O_RDONLY | constants.O_NONBLOCK))
  if (!file) return
  try {
    if (!(await file.stat()).isFile()) return
    const memory = Buffer.alloc(65_536)
    for (;;) {
      const { bytesRead } = await file.read(memory, 0, memory.length, null)
      if (bytesRead === 0) return
      yield memory.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

const numberIn = (id: string | undefined): number | undefined =>
  id === undefined ? undefined : Number(/\d+$/.exec(id)?.[0] ?? Number.NaN)
