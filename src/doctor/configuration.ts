/** The findings of `owm config check`, and the configuration for the other checks. */
import { type ConfigParts, checkConfig, type Finding, ScheduleTooSlow } from '../config/check/index.js'
import type { Loaded } from '../config/load.js'
import { errorKindOf, isOwmError, withHint } from '../errors/index.js'
import type { Diagnosis } from '../plugin.js'
import type { Code } from './checks.js'
import { fine, wrong } from './verdict.js'

interface Configured {
  readonly diagnoses: Diagnosis[]
  /** Undefined if too much of it is wrong. */
  readonly loaded: Loaded | undefined
  /** Sections that can't be used. */
  readonly without: readonly string[]
}

/** The code for an error of the source or sink: `-options` if a retry can't help, else `-answers`. */
export const codeFor = (what: 'source' | 'sink', error: unknown): Code =>
  ['configuration', 'input', 'usage'].includes(errorKindOf(error) ?? '') ? `${what}-options` : `${what}-answers`

export async function configured(
  parts: Omit<ConfigParts, 'lookAtOutbox' | 'mustBeOwed' | 'judge'>,
): Promise<Configured> {
  let loaded: Loaded | undefined
  let without: readonly string[] = []
  const configure = async (sections: readonly string[]): Promise<Loaded> => {
    loaded = await parts.configure(sections)
    without = sections
    return loaded
  }
  // Outbox, source and sink are examined in detail later.
  const later = async (): Promise<void> => undefined
  const all = { ...parts, configure, lookAtOutbox: later, mustBeOwed: later, judge: () => '' }
  const looked = await checkConfig(all, false, true)
  const diagnoses = looked.flatMap(diagnosesOf)
  const broken = (['source', 'sink'] as const).filter((what) =>
    diagnoses.some(({ code }) => code.startsWith(`${what}-`)),
  )
  return { diagnoses, loaded, without: [...without, ...broken] }
}

function diagnosesOf({ about, outcome, warning, check }: Finding): Diagnosis[] {
  if (about === 'source' || about === 'sink')
    return isOwmError(outcome) ? [wrong(codeFor(about, outcome), withHint(outcome))] : []
  if (about === 'schedule') return [wrong('schedule-age', `${outcome}. ${warning}`)]
  const code = about === 'outbox' ? 'outbox-folder' : 'configuration'
  if (outcome instanceof ScheduleTooSlow) return [wrong('configuration-cadence', outcome.message)]
  if (isOwmError(outcome)) return [wrong(code, withHint(outcome))]
  if (warning !== undefined && check === 'configuration-beside') return [fine(code, outcome), wrong(check, warning)]
  if (warning !== undefined && check !== undefined) return [wrong(check, warning)]
  // A warning without a check is that the outbox may not last, which `outbox-cleaned` says.
  return [fine(code, outcome)]
}
