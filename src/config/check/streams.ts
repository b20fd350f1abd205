/** Pipelines of one file that deliver to the same stream. */
import { loadSink } from '../../plugins/load.js'
import { exactJson } from '../../tasks/json/exact.js'
import type { Loaded } from '../load.js'
import { ownOptions } from '../section.js'
import type { Finding } from './index.js'

/**
 * Warns of pipelines that share a stream and a `taskNamespace`: if they use the same ids for different locations,
 * workers take the second one's tasks for the first one's.
 */
export async function sharedIds(all: readonly Loaded[]): Promise<Finding[]> {
  const streams = await Promise.all(all.map(async (loaded) => ({ loaded, stream: await streamOf(loaded) })))
  return streams.flatMap(({ loaded, stream }, index) =>
    streams
      .slice(index + 1)
      .filter((other) => stream === other.stream)
      .map((other) => other.loaded)
      .filter((other) => loaded.settings.taskNamespace === other.settings.taskNamespace)
      .filter((other) => listOf(loaded) !== listOf(other))
      .map((other) => ({
        about: 'sink' as const,
        outcome:
          `${loaded.pipeline} and ${other.pipeline} deliver to one stream: ` +
          'where their locations have the same ids, so have the tasks of different places.',
        warning:
          'Give each a taskNamespace, or all of them `taskNamespace: pipeline`; it changes their task ids, once.',
      })),
  )
}

/** Identifies a sink's stream: its address, or all of its options. */
async function streamOf(loaded: Loaded): Promise<string> {
  const { use = '' } = loaded.settings.sink ?? {}
  const options = ownOptions(loaded, 'sink')
  const plugin = await loadSink(use, loaded.baseDir).catch(() => undefined)
  const checked = plugin?.options.safeParse(options)
  const address = checked?.success ? plugin?.address?.(checked.data, loaded.baseDir) : undefined
  return exactJson([use, address ?? options]) ?? ''
}

/** Identifies the list that a source reads. Shards and filters of one list never give two places the same id. */
const listOf = (loaded: Loaded): string => exactJson([loaded.settings.source?.use, ownOptions(loaded, 'source')]) ?? ''
