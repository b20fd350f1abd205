/**
 * `owm schedule run`: one process that starts at each scheduled time, where there is no cron.
 *
 *     start --> wait for the next scheduled time --> start --> …
 *           `-> after a transient failure: wait for a minute (then two, four, …) --> start
 *
 * A permanent failure ends the process with the exit code of that start, so that a supervisor sees it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loaded } from '../../../config/load.js'
import { exitCodes, isOwmError, type OwmError } from '../../../errors/index.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { mustHaveSchedule, onTimeOf, type Surroundings } from '../../compose.js'
import { type Configure, observed } from '../../observed.js'
import { worst } from '../../report.js'
import { nothingProduced, type ProduceFlags, type ProduceResult, produce } from '../produce/produce.js'

/** What `owm schedule run --json` prints when it ends; before that, each start prints what `owm produce` does. */
export interface ScheduleRunResult {
  starts: number
  failed: number
}

type ScheduleRunFlags = Pick<ProduceFlags, 'strict'>

/** Prints what a start did, and the error that decides its exit code. */
type Tell = (result: ProduceResult, done: Pick<Done<object>, 'summary' | 'errors'>, error?: OwmError) => void

/** Exit codes of failures that the next start may not have: a server was down, the list had rejects. */
const mayPass: readonly number[] = [exitCodes.notDelivered, exitCodes.inputRejected]

/** Milliseconds. */
const [firstPause, longestPause] = [60_000, 600_000]
/** How often the clock is read while waiting, in milliseconds: it may have been set, or the machine suspended. */
const longestSleep = 15_000

export async function runOnSchedule(
  result: ScheduleRunResult,
  { strict }: ScheduleRunFlags,
  configure: Configure,
  { tell, ...around }: Surroundings & { tell: Tell },
): Promise<Done<ScheduleRunResult>> {
  // With OWM_SLOT every start would serve the same slot.
  const surroundings: Surroundings = { ...around, env: { ...around.env, OWM_SLOT: undefined } }
  const once = { strict, again: false, 'dry-run': false, 'no-flush': false, force: false, wait: true }
  let pause = firstPause
  for (;;) {
    around.about({})
    // Read again each time, so that an edit takes effect with the next start.
    const schedule = onTimeOf(mustHaveSchedule(await configure()), surroundings)
    const produced = nothingProduced()
    const work = (read: () => Promise<Loaded>, within: Surroundings) => produce(produced, once, read, within)
    const done = await observed(produced, configure, surroundings, work).catch((thrown: unknown) => {
      if (!isOwmError(thrown)) throw thrown
      return { result: produced, summary: [], errors: [thrown] }
    })
    const error = worst(done.errors ?? [])
    result.starts++
    if (error) result.failed++
    if (around.signal.aborted || (error && !mayPass.includes(error.exitCode)))
      return { result, summary: done.summary, errors: done.errors ?? [] }
    tell(produced, done, error)
    // The start may have been a little early.
    const served = Math.max(schedule.now(), produced.slot === null ? 0 : Date.parse(produced.slot))
    const next = schedule.timetable.after(served) ?? Number.POSITIVE_INFINITY
    const isSoon = error?.exitCode === exitCodes.notDelivered
    const until = isSoon ? Math.min(next, schedule.now() + pause) : next
    pause = isSoon ? Math.min(2 * pause, longestPause) : firstPause
    const at = slotOf(until)
    around.note(`The next start is at ${at}.`, { event: 'start-next', at })
    // A failure of the last start counts, although it would have been retried.
    const errors = error ? [error] : []
    if (await isStoppedBefore(until, surroundings)) return { result, summary: [], errors, isStopped: true }
  }
}

/** Waits for a time, in milliseconds since 1970; true if a signal came first. */
async function isStoppedBefore(time: number, { now, signal }: Surroundings): Promise<boolean> {
  while (now() < time && !signal.aborted)
    await sleep(Math.min(time - now(), longestSleep), undefined, { signal }).catch(() => undefined)
  return signal.aborted
}
