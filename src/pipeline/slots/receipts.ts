/** Caches the sink's receipts for one start, failures included. */
import type { Receipt } from '../../plugin.js'

/** Undefined if there is no answer in time. */
type Answer = Promise<readonly Receipt[] | undefined>

/** @param slot default: the newest slots */
type Ask = (slot?: string, timeoutMs?: number) => Answer

export class Receipts {
  readonly #ask: Ask
  readonly #bySlot = new Map<string, Answer>()
  #newest: Answer | undefined

  constructor(ask: Ask) {
    this.#ask = ask
  }

  newest(timeoutMs?: number): Answer {
    this.#newest ??= this.#ask(undefined, timeoutMs)
    return this.#newest
  }

  of(slot: string): Answer {
    const asked = this.#bySlot.get(slot) ?? this.#find(slot, this.#bySlot.size > 0)
    this.#bySlot.set(slot, asked)
    return asked
  }

  /** @param isOneOfMany for a backfill of thousands: the newest are read first, and a silent sink is asked only once */
  async #find(slot: string, isOneOfMany: boolean): Answer {
    const newest = isOneOfMany ? await this.newest() : await this.#newest
    if (!newest) return isOneOfMany ? undefined : this.#ask(slot)
    if (newest.length === 0) return newest
    const time = Date.parse(slot)
    // The oldest slot may have more receipts than were returned, and so may earlier ones.
    if (newest.some((receipt) => Date.parse(receipt.slot) < time))
      return newest.filter((receipt) => Date.parse(receipt.slot) === time)
    return this.#ask(slot)
  }
}
