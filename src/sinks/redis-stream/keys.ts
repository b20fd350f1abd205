/** The keys beside a stream, all in its hash slot, so that one script may use them in a Redis Cluster. */
import slotOf from 'cluster-key-slot'

export interface Keys {
  readonly stream: string
  /** See scripts/prelude. */
  readonly mark: string
  /** Each slot's first entry. */
  readonly slots: string
  fence(outboxId: string): string
  receipts(pipeline: string): string
  receiptIndex(pipeline: string): string
}

export function keysOf(stream: string): Keys {
  const prefix = prefixOf(stream)
  return {
    stream,
    mark: `${prefix}stream`,
    slots: `${prefix}slots`,
    fence: (outboxId) => `${prefix}${outboxId}`,
    receipts: (pipeline) => `${prefix}receipts:${pipeline}`,
    receiptIndex: (pipeline) => `${prefix}receipts-by-time:${pipeline}`,
  }
}

/** `{stream}:owm:`, or where the name has braces of its own, what hashes to the same slot. */
function prefixOf(stream: string): string {
  if (!/[{}]/.test(stream)) return `{${stream}}:owm:`
  const [, tag] = /\{([^}]+)\}/.exec(stream) ?? []
  if (tag !== undefined && slotOf(`{${tag}}`) === slotOf(stream)) return `{${tag}}:owm:${stream}:`
  // Braces that are no tag: any number with the same hash slot will do, and there are 16,384 slots.
  let number = 0
  while (slotOf(`{${number}}`) !== slotOf(stream)) number++
  return `{${number}}:owm:${stream}:`
}
