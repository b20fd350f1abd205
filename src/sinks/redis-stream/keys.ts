/** The keys beside a stream, all in its hash slot, so that one script may use them in a Redis Cluster. */
export interface Keys {
  readonly stream: string
  /** See scripts/prelude. */
  readonly mark: string
  /** Each slot's first and last entry. */
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

/** All keys of an outbox or pipeline `id`, in the order in which scripts/rights takes them. */
export const allKeys = (keys: Keys, id: string): string[] => [
  ...[keys.stream, keys.fence(id), keys.mark, keys.slots],
  ...[keys.receipts(id), keys.receiptIndex(id)],
]

/** `{stream}:owm:`, or for a name with braces of its own, a prefix that hashes to the same slot. */
function prefixOf(stream: string): string {
  if (!/[{}]/.test(stream)) return `{${stream}}:owm:`
  const tag = hashedPartOf(stream)
  if (tag !== stream) return `{${tag}}:owm:${stream}:`
  // The braces are no hash tag: use the first number with the same hash slot, of which there are 16,384.
  let number = 0
  while (hashSlot(`${number}`) !== hashSlot(stream)) number++
  return `{${number}}:owm:${stream}:`
}

/** The part of a key that Redis hashes: between the first { and the next }, or all of it if nothing is there. */
function hashedPartOf(key: string): string {
  const from = key.indexOf('{') + 1
  const to = key.indexOf('}', from)
  return from > 0 && to > from ? key.slice(from, to) : key
}

/** The hash slot of a key in a cluster, 0 to 16,383. */
export const hashSlotOf = (key: string): number => hashSlot(hashedPartOf(key))

/** CRC-16/XMODEM modulo 16,384, as in the specification of Redis Cluster. */
function hashSlot(hashed: string): number {
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  }
  return crc & 0x3fff
}
