/** Of a life with cadences: each window of each place is delivered or counted as skipped, once. */
import { type Cadence, rhythms } from '../../../src/pipeline/input/cadence.js'
import { newestWindow, type Rhythm } from '../../../src/schedule/windows.js'
import { slotOf } from '../../../src/tasks/slot.js'
import { placed } from '../../support/locations.js'
import { expectedTaskId } from '../../support/oracle.js'
import type { Run } from './ledger.js'
import type { Stream } from './stream.js'

/** The places of source.mjs that have windows of their own. */
const everys = { Delhi: '6h', Oslo: '30m' }

export class Windows {
  readonly #stream: Stream
  readonly #rhythms = new Map<string, Rhythm>()

  constructor(cadence: Cadence, stream: Stream) {
    this.#stream = stream
    const rhythmOf = rhythms(cadence)
    for (const [city, every] of Object.entries(everys)) {
      const location = { id: city, city, latitude: 1, longitude: 1, every }
      const rhythm = rhythmOf(location, placed(location))
      if (!rhythm || !('every' in rhythm)) throw new Error(`${city} has no rhythm`)
      this.#rhythms.set(city, rhythm)
    }
  }

  /**
   * @param runs all that have an interval, and were served
   * @param areAll whether one outbox has had them: another one's intervals may lie in those
   */
  complaints(runs: readonly Run[], areAll: boolean): string[] {
    const complaints: string[] = []
    let [left, skipped] = [0, 0]
    for (const { slot, from, skipped: counted } of runs) {
      skipped += counted
      for (const [city, rhythm] of this.#rhythms) {
        const windows = [...windowsIn(rhythm, from ?? 0, Date.parse(slot))]
        const undelivered = windows.filter((window) => !this.#isDelivered(city, window))
        if (undelivered[0] !== undefined && undelivered[0] === windows[0])
          complaints.push(`${city}'s window of ${slotOf(undelivered[0])} didn't come with ${slot}`)
        left += undelivered.length
      }
    }
    if (areAll && left !== skipped) complaints.push(`${left} windows didn't come, ${skipped} are counted as skipped`)
    return complaints
  }

  #isDelivered(city: string, window: number): boolean {
    return this.#stream.tasks.has(expectedTaskId(slotOf(window), city))
  }
}

/** Those that begin in (from, to], the newest first. */
function* windowsIn(rhythm: Rhythm, from: number, to: number): Generator<number> {
  for (let window = newestWindow(rhythm, { from, to }); window; ) {
    yield window.start
    window = newestWindow(rhythm, { from, to: window.start - 1 })
  }
}
