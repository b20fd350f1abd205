/** The sink, as far as it can be asked without being written to. */
import { withHint } from '../errors/index.js'
import type { SinkDeps } from '../pipeline/parts.js'
import type { Diagnosis, Patient, Sink } from '../plugin.js'
import { codeFor } from './configuration.js'
import { ownDiagnoses } from './plugins.js'
import { fine, judged, unknown, wrong } from './verdict.js'

/** Of a sink without checks of its own nothing is known: opening it might make a file. */
export async function sinkChecks(
  deps: SinkDeps,
  patient: Patient,
  delivered: Delivered | undefined,
): Promise<readonly Diagnosis[]> {
  const { name, checks } = deps
  if (checks === undefined) return [unknown('sink-answers', `${name} has no checks of its own`)]
  let sink: Sink | undefined
  try {
    sink = await deps.open()
    const own = await ownDiagnoses('sink', deps, sink, patient)
    const answers = fine('sink-answers', `${name} was opened; its own checks say more`)
    // Where it can't be asked, that has a finding of its own.
    const receipts = await receiptCheck(sink, delivered).catch(() => [])
    return [answers, ...own, ...receipts]
  } catch (error) {
    return [wrong(codeFor('sink', error), withHint(error))]
  } finally {
    await sink?.close?.()
  }
}

/** What the outbox knows to be in a sink. */
export interface Delivered {
  readonly slot: string
  /** Addresses of the sinks that have it. */
  readonly addresses: readonly string[]
  /** Under this name receipts are written. */
  readonly pipeline: string
}

async function receiptCheck(sink: Sink, delivered: Delivered | undefined): Promise<Diagnosis[]> {
  if (!sink.receipts || !delivered?.addresses.includes(sink.address ?? '')) return []
  const { slot, pipeline } = delivered
  const found = await sink.receipts(pipeline, slot)
  const lost = `the slot ${slot} was delivered, and the sink has no receipt of it`
  return [judged('sink-receipts', found.length === 0 ? lost : undefined, `the slot ${slot} has its receipt`)]
}
