/** `owm` without a command: what to do next in this folder. Read-only. */
import type { Loaded } from '../../../config/load.js'
import { toError } from '../../../errors/index.js'
import { compact } from '../../../lists.js'
import { owedElsewhere } from '../../../outbox/inspect/ledger/owed.js'
import { slotsIn } from '../../../outbox/inspect/ledger/slots.js'
import { type Vitals, vitalsOf } from '../../../outbox/inspect/vitals.js'
import { holderOf } from '../../../outbox/outbox.js'
import { mustBeOwn } from '../../../outbox/owner.js'
import { isHeld } from '../../../outbox/runs/holder.js'
import { wouldServe } from '../../../pipeline/slots/on-time.js'
import { slotOf } from '../../../tasks/slot.js'
import type { Done } from '../../command.js'
import { onTimeOf, type Surroundings, sinkOf } from '../../compose.js'
import { harmless, inPipeline, plural } from '../../format.js'
import { ownerOf } from '../../owner.js'
import { servedElsewhere } from '../produce/refused.js'

/** A command to run, and why. */
interface Step {
  pipeline: string | null
  command: string
  why: string
}

export interface NextResult {
  next: Step[]
}

/** @param configure loads every pipeline */
export async function next(configure: () => Promise<Loaded[]>, around: Surroundings): Promise<Done<NextResult>> {
  const steps = await configure().then(
    async (all) => (await Promise.all(all.map((loaded) => stepsOf(loaded, around)))).flat(),
    (error: unknown) => [{ pipeline: null, command: 'owm config check', why: harmless(toError(error).message) }],
  )
  const width = Math.max(...steps.map(({ command }) => command.length))
  return { result: { next: steps }, summary: ['NEXT', ...steps.map((step) => stepInWords(step, width))] }
}

const stepInWords = ({ pipeline, command, why }: Step, width: number): string =>
  `  ${command.padEnd(width)}  ${inPipeline(pipeline, why)}`

async function stepsOf(loaded: Loaded, around: Surroundings): Promise<Step[]> {
  const { settings, file, pipeline = null } = loaded
  const flag = pipeline === null ? '' : ` --pipeline ${pipeline}`
  const step = (command: string, why: string): Step => ({ pipeline, command: `${command}${flag}`, why })
  if (file === undefined && !settings.sink) return [step('owm init', 'there is no configuration in this folder')]
  try {
    const vitals = await vitalsOf(settings.outbox.path, around.now())
    if (!vitals?.run)
      return compact(
        step('owm produce --dry-run', 'nothing has run yet: this reads and checks everything, and writes nothing'),
        step('owm produce', 'does it'),
        settings.schedule && step('owm init --print crontab', 'what starts it from then on'),
      )
    mustBeOwn(settings.outbox.path, vitals.owner, await ownerOf(loaded, around.env))
    const steps = [
      ...((await keptFrom(vitals, loaded, around, step)) ?? [
        ...waitingIn(vitals, step),
        ...(await dueIn(loaded, around, step)),
      ]),
      ...troubleIn(vitals, step),
    ]
    const nothing = 'nothing is to be done (`owm doctor` asks the sink, too)'
    return steps.length > 0 ? steps : [step('owm runs', nothing + nextTimeInWords(loaded, around))]
  } catch (error) {
    return [step('owm doctor', harmless(toError(error).message))]
  }
}

type MakeStep = (command: string, why: string) => Step

/** What a start or `owm flush` would be refused for; undefined if nothing is known. */
async function keptFrom(
  { pending, openRuns }: Vitals,
  loaded: Loaded,
  around: Surroundings,
  step: MakeStep,
): Promise<Step[] | undefined> {
  const { path } = loaded.settings.outbox
  if (await isHeld(path, undefined))
    return [step('owm doctor', `whether the owm that is at work takes too long: ${await holderOf(path)}`)]
  if (pending === 0 && openRuns === 0) return undefined
  const address = await addressOf(loaded, around)
  const error = address === undefined ? undefined : await owedElsewhere(path, { address })
  return error && [step('owm doctor', harmless(error.message))]
}

function* waitingIn({ pending, openRuns }: Vitals, step: MakeStep): Generator<Step> {
  if (pending > 0) yield step('owm flush', `delivers ${plural(pending, 'pending task')}`)
  else if (openRuns > 0) yield step('owm produce', `finishes ${plural(openRuns, 'run')} that began before`)
}

function* troubleIn({ short, dead, lost }: Vitals, step: MakeStep): Generator<Step> {
  if (short) yield step('owm doctor', `the run of ${short.slot} stored nothing: ${harmless(short.lastError)}`)
  if (dead > 0) yield step('owm outbox inspect --state dead', `the sink refused ${plural(dead, 'task')}`)
  if (lost > 0) yield step('owm verify', `the sink lost ${plural(lost, 'task')}`)
}

async function dueIn(loaded: Loaded, around: Surroundings, step: MakeStep): Promise<Step[]> {
  const { schedule, outbox } = loaded.settings
  if (!schedule) return []
  const seen = await slotsIn(outbox.path)
  const { served } = wouldServe(onTimeOf(schedule, around), seen)
  const due = served.at(-1)
  if (due !== undefined) return [step('owm produce', `${due} is due; \`owm schedule\` shows all times`)]
  const [newest] = seen.slots
  const address = await addressOf(loaded, around)
  if (!newest || address === undefined) return []
  const asked = { slot: newest.slot, shard: newest.shard ?? '' }
  // A sink at a new address may be the same one: the command asks it.
  const error = await servedElsewhere(asked, loaded, address, async () => [])
  return error
    ? [step('owm produce --dry-run', harmless(error.message).replace(/\.$/, '') + nextTimeInWords(loaded, around))]
    : []
}

/** The sink's address, if its options tell it. It isn't opened: standard output stays the summary's. */
async function addressOf(loaded: Loaded, around: Surroundings): Promise<string | undefined> {
  return (await sinkOf(loaded, { ...around, leaveStandardOutput: () => undefined }, true)).address
}

function nextTimeInWords({ settings: { schedule } }: Loaded, around: Surroundings): string {
  const time = schedule && onTimeOf(schedule, around).timetable.after(around.now())
  return time === undefined ? '' : `; the next scheduled time is ${slotOf(time)}`
}
