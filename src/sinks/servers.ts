/** What the sinks that are servers have in common. */
import { SupersededError } from '../errors/index.js'

/** Receipts are kept for this many of a pipeline's newest slots. */
export const slotsKept = 10_000

/** At most this many receipts are given if no slot is asked for. */
export const newestGiven = 1_000

/** @param place `the table owm_tasks` */
export const takenOver = (place: string): SupersededError =>
  new SupersededError(`Another owm has taken over this outbox at ${place}: this one stops.`, {
    hint: 'Nothing is lost: that one delivers. See to it that only one owm works with an outbox, or a copy of it.',
  })
