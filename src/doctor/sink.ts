/** Checks the sink without writing to it. */
import { withHint } from '../errors/index.js'
import { sumOf } from '../lists.js'
import { owedElsewhere, type SinkSeen } from '../outbox/inspect/ledger/owed.js'
import { addressNoted, type SinkDeps } from '../pipeline/parts.js'
import { standing } from '../pipeline/slots/in-sink.js'
import type { Diagnosis, Patient, Sink } from '../plugin.js'
import { plural } from '../words.js'
import { codeFor } from './configuration.js'
import { ownDiagnoses } from './plugins.js'
import { type Sharding, shardsCheck } from './shards.js'
import { fine, judged, unknown, wrong } from './verdict.js'

/** A sink without checks of its own isn't opened: that might create a file. */
export async function sinkChecks(
  deps: SinkDeps,
  patient: Patient,
  delivered: Delivered,
): Promise<readonly Diagnosis[]> {
  const { name, checks, address } = deps
  if (checks === undefined)
    return [
      unknown('sink-answers', `${name} has no checks of its own`),
      ...(address === undefined ? [] : await owedCheck({ address }, delivered)),
    ]
  let sink: Sink | undefined
  try {
    sink = await deps.open()
    const own = await ownDiagnoses('sink', deps, sink, patient)
    const answers = fine('sink-answers', `${name} was opened; its own checks say more`)
    const seen = { address: addressNoted(sink, name), position: sink.position?.bind(sink) }
    // A sink that can't be asked has a finding of its own.
    const receipts = await receiptCheck(sink, seen.address, delivered).catch(() => [])
    const owed = await owedCheck(seen, delivered).catch(() => [])
    const shards = await shardsCheck(sink, delivered, patient.now()).catch(() => [])
    return [answers, ...own, ...receipts, ...owed, ...shards]
  } catch (error) {
    return [wrong(codeFor('sink', error), withHint(error))]
  } finally {
    await sink?.close?.()
  }
}

/** What the outbox knows to be in a sink. */
interface Delivered extends Sharding {
  /** Of the outbox; undefined if there is none, or it can't be read. */
  readonly path: string | undefined
  /** The newest first, with the addresses of the sinks that have it. */
  readonly runs: readonly { readonly slot: string; readonly persisted: number; readonly addresses: readonly string[] }[]
}

async function owedCheck(seen: SinkSeen, { path }: Delivered): Promise<Diagnosis[]> {
  if (path === undefined) return []
  const error = await owedElsewhere(path, seen)
  return [judged('outbox-sink', error && withHint(error), 'no other sink is to get what waits in the outbox')]
}

async function receiptCheck(sink: Sink, address: string, { runs, pipeline }: Delivered): Promise<Diagnosis[]> {
  const here = runs.filter(({ addresses }) => addresses.includes(address))
  const [newest] = here
  if (!sink.receipts || newest !== runs[0] || !newest) return []
  const its = await sink.receipts(pipeline, newest.slot)
  if (standing(its).length > 0) return [fine('sink-receipts', `the slot ${newest.slot} has its receipt`)]
  // Without a slot, the sink gives the receipts of the newest slots.
  const kept = new Set(standing(await sink.receipts(pipeline)).map(({ slot }) => slot))
  const lost = here.filter(({ slot }) => !kept.has(slot))
  const slots = new Set(lost.map(({ slot }) => slot)).size
  const tasks = plural(
    sumOf(lost, ({ persisted }) => persisted),
    'task',
  )
  const [what, and] =
    its.length > 0 ? ['the sink has lost its tasks', 'and those of'] : ['the sink has no receipt of it', 'nor of']
  const others = slots > 1 ? `, ${and} ${plural(slots - 1, 'other slot')}` : ''
  return [wrong('sink-receipts', `the slot ${newest.slot} was delivered, and ${what}${others}: ${tasks}`)]
}
