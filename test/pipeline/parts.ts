/** The pipeline's dependencies in this process: a new outbox, a sink, no retries, and a log that nobody reads. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Deps } from '../../src/pipeline/parts.js'
import { Resilience } from '../../src/pipeline/retry.js'
import type { Sink } from '../../src/plugin.js'
import { temporaryFolder } from '../support/cli.js'
import { openOutbox } from '../support/open-outbox.js'

export async function partsWith(open: () => Promise<Sink>): Promise<Deps> {
  const path = join(await temporaryFolder(), 'outbox.db')
  const { signal } = new AbortController()
  const outbox = await openOutbox(path, { signal })
  onTestFinished(() => outbox.close())
  const silent = (): void => undefined
  return {
    outbox,
    pipeline: 'test',
    isSharded: false,
    sink: { name: 'test', open },
    resilience: new Resilience({
      retry: { attempts: 1, initialDelayMs: 0, maxDelayMs: 0 },
      breaker: { failures: 5, resetAfterMs: 1000 },
    }),
    log: { debug: silent, info: silent, warn: silent, error: silent },
    signal,
  }
}

/** A sink that takes everything. */
export const taking: Sink = {
  guarantee: 'at-least-once',
  deliver: async ({ tasks }) => tasks.map(() => 'delivered'),
  receipts: async () => [],
}
