/** What a check found. */
import type { Diagnosis } from '../../../plugin.js'
import type { Code } from './checks.js'
import { word } from './redis-cli.js'

export const fine = (code: Code, found: string): Diagnosis => ({ code, verdict: 'fine', found })
export const wrong = (code: Code, found: string): Diagnosis => ({ code, verdict: 'wrong', found })
export const unknown = (code: Code, found: string): Diagnosis => ({ code, verdict: 'unknown', found })

/** Fine, or else `isWrong`. `todo`: see Diagnosis; `redis-cli` in it becomes a whole command. */
export const judged = (code: Code, isWrong: boolean, found: string, todo?: string): Diagnosis =>
  isWrong ? { ...wrong(code, found), ...(todo !== undefined && { todo }) } : fine(code, found)

/** Such commands, each to be pasted: "`redis-cli PERSIST one`, `redis-cli PERSIST other`". */
export const commands = (all: readonly (readonly string[])[]): string =>
  all.map((words) => `\`redis-cli ${words.map(word).join(' ')}\``).join(', ')

/** Some checks; where Redis doesn't tell, such as for want of a right, they say why. */
export async function attempt(
  codes: readonly Code[],
  look: () => Promise<readonly Diagnosis[]>,
): Promise<readonly Diagnosis[]> {
  return look().catch((error: unknown) =>
    codes.map((code) => unknown(code, error instanceof Error ? error.message : String(error))),
  )
}
