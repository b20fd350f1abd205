/** For the checks of sources: reads one, and compares what it gives. */
import assert from 'node:assert/strict'
import type { ZodType } from 'zod'
import { ResumePointError } from '../../errors/index.js'
import { isMalformed, type Location, type Malformed, type Source } from '../../plugin.js'
import { type Attempt, type SourceUnderTest, withSource } from './check.js'

/** What was read from a source. */
export interface ReadSoFar {
  keys: string[]
  resumes: { after: number; resume: string }[]
}

export const nothingRead = (): ReadSoFar => ({ keys: [], resumes: [] })

export const isRejected = (key: string): boolean => key.startsWith('{"rejected":')

const keyOf = (location: Location | Malformed): string =>
  JSON.stringify(isMalformed(location) ? { rejected: location.value } : location)

/** Reads on where `given` ends, and adds to it, so that what came before a failure is kept. */
export async function readInto(
  given: ReadSoFar,
  open: Source,
  count: number,
  onBatch: (batches: number) => Promise<void> = async () => undefined,
): Promise<void> {
  let [batches, empty] = [0, 0]
  for await (const batch of open.read(given.resumes.at(-1)?.resume)) {
    batch.locations.forEach((location, index) => {
      given.keys.push(keyOf(location))
      assert.ok(batch.position(index).length > 0, '`position` must name the place of each record')
    })
    given.resumes.push({ after: given.keys.length, resume: batch.resume })
    assert.ok(given.keys.length <= count, `it gave more than its ${count} locations: does it ever end?`)
    empty = batch.locations.length === 0 ? empty + 1 : 0
    assert.ok(empty < 1_000, 'it gave 1,000 empty batches in a row: does it ever end?')
    await onBatch(++batches)
  }
}

export async function readAll<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  attempt?: Attempt,
): Promise<ReadSoFar> {
  const given = nothingRead()
  await withSource(source, (open) => readInto(given, open, source.count), { attempt })
  return given
}

/** Goes on from the last checkpoint, as the next start would: then everything must be there. */
export async function assertRest<Options extends ZodType>(
  source: SourceUnderTest<Options>,
  given: ReadSoFar,
  whole: ReadSoFar,
  when: string,
): Promise<void> {
  given.keys.length = given.resumes.at(-1)?.after ?? 0
  const read = (into: ReadSoFar): Promise<void> => withSource(source, (open) => readInto(into, open, source.count))
  try {
    await read(given)
    assert.deepEqual(given.keys, whole.keys, when)
  } catch (error) {
    if (!(error instanceof ResumePointError)) throw error
    const fromStart = nothingRead()
    await read(fromStart)
    assert.deepEqual(fromStart.keys, whole.keys, when)
  }
}
