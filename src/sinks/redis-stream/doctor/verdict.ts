/** What a check found. */
import type { Diagnosis } from '../../../plugin.js'
import type { Code } from './checks.js'

export const fine = (code: Code, found: string): Diagnosis => ({ code, verdict: 'fine', found })
export const wrong = (code: Code, found: string): Diagnosis => ({ code, verdict: 'wrong', found })
export const unknown = (code: Code, found: string): Diagnosis => ({ code, verdict: 'unknown', found })

/** Fine, or else `isWrong`. */
export const judged = (code: Code, isWrong: boolean, found: string): Diagnosis =>
  isWrong ? wrong(code, found) : fine(code, found)

/** Some checks; where Redis doesn't tell, such as for want of a right, they say why. */
export async function attempt(
  codes: readonly Code[],
  look: () => Promise<readonly Diagnosis[]>,
): Promise<readonly Diagnosis[]> {
  return look().catch((error: unknown) =>
    codes.map((code) => unknown(code, error instanceof Error ? error.message : String(error))),
  )
}
