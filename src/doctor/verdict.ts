/** What owm's own checks found. */
import type { Diagnosis } from '../plugin.js'
import type { Code } from './checks.js'

export const fine = (code: Code, found: string): Diagnosis => ({ code, verdict: 'fine', found })
export const wrong = (code: Code, found: string): Diagnosis => ({ code, verdict: 'wrong', found })
export const unknown = (code: Code, found: string): Diagnosis => ({ code, verdict: 'unknown', found })

/** Fine, or else `why`. */
export const judged = (code: Code, why: string | undefined, found: string): Diagnosis =>
  why === undefined ? fine(code, found) : wrong(code, why)
