/** What the sinks that are servers have in common. */
import { SupersededError } from '../errors/index.js'
import type { Receipt } from '../plugin.js'

/** Receipts are kept for this many of a pipeline's newest slots. */
export const slotsKept = 10_000

/** At most this many receipts are given if no slot is asked for. */
export const newestGiven = 1_000

/** @param place `the table owm_tasks` */
export const takenOver = (place: string): SupersededError =>
  new SupersededError(`Another owm has taken over this outbox at ${place}: this one stops.`, {
    hint: 'Nothing is lost: that one delivers. See to it that only one owm works with an outbox, or a copy of it.',
  })

/**
 * @param text JSON, with the generation of the sink in which it was written, unless an older owm did
 * @param present the generation that the next start will find: the tasks of an older one are gone
 */
export function receiptIn(text: string, present: number): Receipt {
  const { generation = present, ...receipt }: Receipt & { generation?: number } = JSON.parse(text)
  return generation < present && receipt.delivered > 0 ? { ...receipt, isGone: true } : receipt
}
