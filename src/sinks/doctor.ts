/** What the doctors of the sinks have in common. */
import { isIP } from 'node:net'
import type { Diagnosis } from '../plugin.js'

/** Whether traffic to a host stays on this machine. */
export const isThisMachine = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/** A sink's verdicts, for the codes of its own checks. */
export function verdictsFor<Code extends string>() {
  return {
    fine: (code: Code, found: string): Diagnosis => ({ code, verdict: 'fine', found }),
    wrong: (code: Code, found: string): Diagnosis => ({ code, verdict: 'wrong', found }),
    unknown: (code: Code, found: string): Diagnosis => ({ code, verdict: 'unknown', found }),
    /** `todo`: see Diagnosis. */
    judged: (code: Code, isWrong: boolean, found: string, todo?: string): Diagnosis => ({
      code,
      verdict: isWrong ? 'wrong' : 'fine',
      found,
      ...(isWrong && todo !== undefined && { todo }),
    }),
  }
}

/** For each of the codes that has no diagnosis yet, that it is unknown and why. */
export const unasked = (codes: readonly string[], diagnoses: readonly Diagnosis[], why: string): Diagnosis[] =>
  codes
    .filter((code) => !diagnoses.some((diagnosis) => diagnosis.code === code))
    .map((code) => ({ code, verdict: 'unknown', found: why }))
