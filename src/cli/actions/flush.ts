/** `owm flush`: delivers what is pending in the outbox. */
import type { Loaded } from '../../config/load.js'
import { compact } from '../../lists.js'
import type { Outbox } from '../../outbox/outbox.js'
import { flush as flushOutbox } from '../../pipeline/flush.js'
import type { Done } from '../command.js'
import { depsOf, lookAtOutbox, openOutbox, type Surroundings, sinkOf } from '../compose.js'
import { type WaitFlags, waitMsOf } from '../flags.js'
import { count, plural, seconds, stopwatch, tasksDelivered } from '../format.js'
import { type DeliveryResult, noteDelivered, noteNames, slotsInWords, withOutbox } from './delivery.js'
import { logLeftRejects } from './rejects.js'

/** What `owm flush --json` prints. */
export type FlushResult = DeliveryResult

interface FlushFlags extends WaitFlags {
  limit?: number | undefined
  'dry-run': boolean
  force: boolean
}

/** Fills `result` while it works, so that it says what was done even if an error ends it. */
export async function flush(
  result: FlushResult,
  { limit = Number.POSITIVE_INFINITY, ...flags }: FlushFlags,
  configure: () => Promise<Loaded>,
  around: Surroundings,
): Promise<Done<FlushResult>> {
  const elapsed = stopwatch()
  const loaded = await configure()
  noteNames(result, loaded)
  if (flags['dry-run']) return dryRun(result, limit, loaded, around)

  const waitMs = waitMsOf(flags)
  const sink = await sinkOf(loaded, around)
  const outbox = await openOutbox(loaded, around, { waitMs, waitAlone: true, create: false, as: 'owner' })
  return withOutbox(outbox, result, around, async (watched) => {
    await easeCircuit(outbox, flags.force, around.isTerminal)
    const summary = await flushOutbox({ limit }, await depsOf(loaded, { sink, outbox }, watched))
    await noteDelivered(result, summary, outbox)
    await logLeftRejects(summary.earlier, result.served, around)
    result.durationMs = elapsed()
    return { result, summary: [flushInWords(result)], errors: summary.errors }
  })
}

/** Closes the circuit with --force. For a person at a terminal an open one is probed at once. */
async function easeCircuit({ breakers }: Outbox, force: boolean, isTerminal: boolean): Promise<void> {
  const saved = breakers.saved('sink')
  if (force) await breakers.save('sink', undefined)
  else if (isTerminal && saved?.state === 'open') await breakers.save('sink', { ...saved, openedAt: 0 })
}

async function dryRun(
  result: FlushResult,
  limit: number,
  loaded: Loaded,
  around: Surroundings,
): Promise<Done<FlushResult>> {
  const { path } = loaded.settings.outbox
  const totals = await lookAtOutbox(loaded, around, 'owner')
  if (!totals) return { result, summary: [`dry run: there is no outbox ${path}`] }
  const { pending, dead } = totals
  result.outbox = { path, pending, dead }
  const tasks = `${plural(Math.min(limit, pending), 'task')} of ${count(pending)} pending`
  const notAsked = 'it was not asked: a flush also delivers again what it has lost (`owm verify` counts that)'
  return { result, summary: [`dry run: ${tasks} would be delivered to ${result.sink.name}; ${notAsked}`] }
}

function flushInWords({ outbox, sink, served, durationMs }: FlushResult): string {
  return compact(
    ...tasksDelivered(sink),
    ...slotsInWords(served),
    `${count(outbox.pending)} pending`,
    outbox.dead > 0 && `${count(outbox.dead)} dead`,
    seconds(durationMs),
  ).join(', ')
}
