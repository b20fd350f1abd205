/**
 * `owm schedule run`: a start at each scheduled time, in one process, for where there is no cron.
 *
 *     start --> wait for the next scheduled time --> start --> …
 *           `-> wait for a minute (then two, four, …), where it failed with what may pass --> start
 *
 * What doesn't pass by itself ends it with the exit code of that start, so that whoever watches the process sees it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loaded } from '../../../config/load.js'
import { exitCodes, isOwmError, type OwmError } from '../../../errors/index.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { policyOf, type Surroundings, scheduleIn } from '../../compose.js'
import { type Configure, observed } from '../../observed.js'
import { worst } from '../../report.js'
import { nothingProduced, type ProduceFlags, type ProduceResult, produce } from '../produce/produce.js'

/** What `owm schedule run --json` prints when it ends; before that, each start prints what `owm produce` does. */
export interface ScheduleRunResult {
  starts: number
  failed: number
}

type ScheduleRunFlags = Pick<ProduceFlags, 'strict'>

/** What a start did, and the error that decides its exit code. */
type Tell = (result: ProduceResult, done: Pick<Done<object>, 'summary' | 'errors'>, error?: OwmError) => void

/** What the next start may mend: a sink or a source that was down, another list. */
const mayPass: readonly number[] = [exitCodes.notDelivered, exitCodes.inputRejected]

/** Milliseconds. */
const [firstPause, longestPause] = [60_000, 600_000]
/** Milliseconds after which it looks at the clock again: that may be set, or the machine may have slept. */
const longestSleep = 15_000

export async function runOnSchedule(
  result: ScheduleRunResult,
  { strict }: ScheduleRunFlags,
  configure: Configure,
  { tell, ...around }: Surroundings & { tell: Tell },
): Promise<Done<ScheduleRunResult>> {
  // The environment's slot would be the same one for ever.
  const surroundings: Surroundings = { ...around, env: { ...around.env, OWM_SLOT: undefined } }
  const once = { strict, again: false, 'dry-run': false, 'no-flush': false, force: false, wait: true }
  let pause = firstPause
  for (;;) {
    around.about({})
    // Anew each time: what a person changes is taken with the next start.
    const schedule = policyOf(scheduleIn(await configure()), surroundings)
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
    // A start may have come a little early.
    const served = Math.max(schedule.now(), produced.slot === null ? 0 : Date.parse(produced.slot))
    const next = schedule.timetable.after(served) ?? Number.POSITIVE_INFINITY
    const isSoon = error?.exitCode === exitCodes.notDelivered
    const until = isSoon ? Math.min(next, schedule.now() + pause) : next
    pause = isSoon ? Math.min(2 * pause, longestPause) : firstPause
    around.note(`The next start is at ${slotOf(until)}.`)
    // What the last start left open is no success, although it would have been tried again.
    const errors = error ? [error] : []
    if (await isStoppedBefore(until, surroundings)) return { result, summary: [], errors, isStopped: true }
  }
}

/** Waits for a time, in milliseconds since 1970; true where a signal came before it. */
async function isStoppedBefore(time: number, { now, signal }: Surroundings): Promise<boolean> {
  while (now() < time && !signal.aborted)
    await sleep(Math.min(time - now(), longestSleep), undefined, { signal }).catch(() => undefined)
  return signal.aborted
}
