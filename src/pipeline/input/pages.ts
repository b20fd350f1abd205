/** The pages of a source: bounded in number of locations, and all of them for commands without an outbox. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { endlessSource, isOwmError, TransientError, toError } from '../../errors/index.js'
import type { LocationBatch, Source } from '../../plugin.js'
import type { SourceDeps } from '../parts.js'
import type { CadenceCheck } from './cadence.js'
import type { Checked } from './judge.js'

/** A page whose locations the filters may have checked already: index for index. */
export interface PlacedBatch extends LocationBatch {
  readonly places?: readonly Checked[]
}

/** A source that counts what it gives. */
export interface BoundedSource extends Source {
  /** @param before how many locations lie before the checkpoint */
  read(resume: string | undefined, before?: number): AsyncIterable<PlacedBatch>
}

/** A source that fails after `maxLocations`: it may never end. */
export function bounded(source: Source, name: string, maxLocations: number): BoundedSource {
  return {
    ...source,
    async *read(resume, before = 0) {
      let read = before
      for await (const page of source.read(resume)) {
        read += page.locations.length
        if (read > maxLocations) throw endlessSource(name, maxLocations)
        yield page
      }
    },
  }
}

/**
 * All pages of a source that is read without an outbox.
 *
 * @param around signal: ends it early; check: gets all pages, and warns at their end
 */
export async function* pagesOf(
  source: SourceDeps,
  { signal, check }: { signal: AbortSignal; check?: CadenceCheck | undefined },
): AsyncGenerator<PlacedBatch> {
  const opened = await source.open()
  try {
    for await (const page of opened.read(undefined)) {
      await nextTurn() // signals are delivered between turns of the event loop only
      if (signal.aborted) return
      check?.note(page)
      yield page
    }
    check?.warn()
  } catch (error) {
    throw isOwmError(error)
      ? error
      : new TransientError(`The source ${source.name} failed: ${toError(error).message}`, { cause: error })
  } finally {
    await opened.close?.()
  }
}
