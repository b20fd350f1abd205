/** The end of `owm config check --connect`: nothing of it stays, and what else a run needs is asked for. */
import type { Connection } from './connection/index.js'
import { forbidden, unexpected } from './errors.js'
import type { Keys } from './keys.js'
import type { Settings } from './options.js'
import { leave } from './scripts/leave.js'
import { otherCommands } from './scripts/rights.js'

/**
 * Removes the fence of `id` and the mark that a check wrote. Throws ConfigurationError where this user may not give a
 * command that a run needs, TransientError.
 */
export async function leaveCheck(connection: Connection, keys: Keys, id: string, settings: Settings): Promise<void> {
  const { stream, mark, slots } = keys
  const all = [stream, keys.fence(id), mark, slots, keys.receipts(id), keys.receiptIndex(id)]
  const left = await connection.ask((redis) => redis.eval(leave, all.length, ...all, ...otherCommands(settings)))
  if (!Array.isArray(left)) throw unexpected(left)
  if (left.length > 0) throw forbidden(left.map(String), connection.place)
}
