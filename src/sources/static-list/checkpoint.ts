/** Batches and their checkpoints: how many records were read, and of which version of the list. */
import { ResumePointError } from '../../errors/index.js'
import type { LocationBatch } from '../../plugin.js'
import type { Records } from '../formats/records.js'

/** Records per batch: few enough for little memory, enough to make a batch's cost negligible. */
const batchSize = 500

/** Cuts chunks into batches, starting at a checkpoint. */
export async function* inBatches(
  chunks: AsyncIterable<Records>,
  resume: string | undefined,
  version: string,
): AsyncGenerator<LocationBatch> {
  const cut = resume?.indexOf(' ') ?? -1
  if (resume !== undefined && resume.slice(cut + 1) !== version)
    throw new ResumePointError('the list has changed since')
  const skip = resume === undefined ? 0 : Number(resume.slice(0, cut))
  let done = 0
  for await (const { records, position } of chunks) {
    for (let from = Math.max(0, skip - done); from < records.length; from += batchSize) {
      const locations = records.slice(from, from + batchSize)
      yield {
        locations,
        resume: `${done + from + locations.length} ${version}`,
        position: (index, field) => position(from + index, field),
      }
    }
    done += records.length
  }
}
