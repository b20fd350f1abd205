/** A run, named by a prefix of its id. */
import { UsageError } from '../../../../errors/index.js'

/** The only one of `runs`, whose ids begin with `id`. Throws UsageError if there is none or more than one. */
export function oneRun<Run extends { readonly runId: string }>(id: string, runs: readonly Run[]): Run {
  const [run, ...others] = runs
  if (!run) throw noSuchRun(id)
  if (others.length === 0) return run
  const some = runs.slice(-5).map(({ runId }) => runId)
  throw new UsageError(`${runs.length > 100 ? 'Many' : runs.length} runs begin with ${id || "''"}.`, {
    hint: `Name one${some.length < runs.length ? ', such as' : ':'} ${some.join(', ')}.`,
  })
}

export const noSuchRun = (id: string): UsageError =>
  new UsageError(`No run has an id that begins with ${id}.`, {
    hint: '`owm runs` shows the runs and their slots; a slot is written as 2026-11-23T10:00:00Z.',
  })
