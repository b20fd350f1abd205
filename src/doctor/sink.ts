/** The sink, as far as it can be asked without being written to. */
import { isOwmError, toError } from '../errors/index.js'
import type { SinkDeps } from '../pipeline/parts.js'
import type { Diagnosis, Patient, Sink } from '../plugin.js'
import { codeFor, wordsOf } from './configuration.js'
import { ownDiagnoses } from './plugins.js'
import { fine, unknown, wrong } from './verdict.js'

/** Of a sink without checks of its own nothing is known: opening it might make a file. */
export async function sinkChecks(deps: SinkDeps, patient: Patient): Promise<readonly Diagnosis[]> {
  const { name, checks } = deps
  if (checks === undefined) return [unknown('sink-answers', `${name} has no checks of its own`)]
  let sink: Sink | undefined
  try {
    sink = await deps.open()
    const own = await ownDiagnoses('sink', deps, sink, patient)
    return [fine('sink-answers', `${name} was opened to look at`), ...own]
  } catch (error) {
    return [wrong(codeFor('sink', error), isOwmError(error) ? wordsOf(error) : toError(error).message)]
  } finally {
    await sink?.close?.()
  }
}
