import { Outbox } from '../../src/outbox/outbox.js'

type Options = Parameters<typeof Outbox.open>[1]

/** Opens an outbox in this process, or makes it. */
export const openOutbox = (path: string, options: Partial<Options> = {}): Promise<Outbox> =>
  Outbox.open(path, {
    command: 'test',
    waitMs: 0,
    batchSize: 500,
    create: true,
    trustFolder: false,
    masked: (text) => text,
    keepRejected: 10_000,
    signal: new AbortController().signal,
    now: () => Date.now(),
    ...options,
  })
