/** The lines of a file of tasks, as entries: `line 1`, `line 2`, … One without its line feed isn't counted yet. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { ifThere } from '../../files/folders.js'
import type { Entry } from '../../plugin.js'
import { taskIdAtStart } from '../../tasks/encode.js'

/** The first bytes of a line, which tell whether it is a task, and its id. The rest, however long, isn't kept. */
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

/** Reads regular files only: a pipe would never end. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = await ifThere(open(path, constants.O_RDONLY | constants.O_NONBLOCK))
  if (!file) return
  try {
    if (!(await file.stat()).isFile()) return
    const buffer = Buffer.alloc(65_536)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

const numberIn = (id: string | undefined): number | undefined =>
  id === undefined ? undefined : Number(/\d+$/.exec(id)?.[0] ?? Number.NaN)
