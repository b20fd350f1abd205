/** The sink for who only looks at it. */
import type { Loaded } from '../../../config/load.js'
import type { Sink } from '../../../plugin.js'
import { type Surroundings, sinkOf } from '../../compose.js'

/** Opens the sink to look at, and closes it. Throws ConfigurationError, TransientError. */
export async function withSink<T>(
  loaded: Loaded,
  around: Surroundings,
  look: (sink: Sink, name: string) => Promise<T>,
): Promise<T> {
  const { name, open } = await sinkOf(loaded, around, true)
  const sink = await open()
  try {
    return await look(sink, name)
  } finally {
    await sink.close?.()
  }
}

/**
 * Where the tasks go, as people read it: without a scheme, since a URL as it is configured may be a secret as a whole,
 * and isn't shown.
 */
export const placeOfSink = ({ name, address }: { name: string | null; address: string | null }): string =>
  address?.replace(/^[a-z]+:\/\//, '') ?? name ?? ''
