/** The sink's receipts, asked for before anything is read, and once a start, whatever comes of it. */
import type { Receipt } from '../../plugin.js'

/** Undefined where there is no answer in time. */
type Answer = Promise<readonly Receipt[] | undefined>

/** @param slot without one the newest slots' are asked for */
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

  /** @param isOneOfMany a backfill may have thousands: the newest are asked for at once, and a silent sink but once */
  async #find(slot: string, isOneOfMany: boolean): Answer {
    const newest = isOneOfMany ? await this.newest() : await this.#newest
    if (!newest) return isOneOfMany ? undefined : this.#ask(slot)
    if (newest.length === 0) return newest
    const time = Date.parse(slot)
    // Of the oldest one given, and of those before it, there may be more.
    if (newest.some((receipt) => Date.parse(receipt.slot) < time))
      return newest.filter((receipt) => Date.parse(receipt.slot) === time)
    return this.#ask(slot)
  }
}
