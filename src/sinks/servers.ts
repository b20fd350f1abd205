/** What the sinks have in common that are servers. */
import { SupersededError } from '../errors/index.js'

/** Of a pipeline's slots, the newest this many keep their receipts. */
export const slotsKept = 10_000

/** Receipts that are given where no slot is asked for. */
export const newestGiven = 1_000

/** @param place `the table owm_tasks` */
export const takenOver = (place: string): SupersededError =>
  new SupersededError(`Another owm has taken over this outbox at ${place}: this one stops.`, {
    hint: 'Nothing is lost: that one delivers. See to it that only one owm works with an outbox, or a copy of it.',
  })
