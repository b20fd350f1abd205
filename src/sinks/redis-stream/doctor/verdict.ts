/** What a check found. */

import { toError } from '../../../errors/index.js'
import type { Diagnosis } from '../../../plugin.js'
import { verdictsFor } from '../../doctor.js'
import type { Code } from './checks.js'
import { shellQuoted } from './redis-cli.js'

/** `redis-cli` in a `todo` becomes a whole command. */
export const { fine, wrong, unknown, judged } = verdictsFor<Code>()

/** Commands to paste: "`redis-cli PERSIST one`, `redis-cli PERSIST other`". */
export const commands = (all: readonly (readonly string[])[]): string =>
  all.map((words) => `\`redis-cli ${words.map(shellQuoted).join(' ')}\``).join(', ')

/** Runs checks; if Redis refuses, as for lack of a right, all of them are unknown for that reason. */
export async function attempt(
  codes: readonly Code[],
  look: () => Promise<readonly Diagnosis[]>,
): Promise<readonly Diagnosis[]> {
  return look().catch((error: unknown) => codes.map((code) => unknown(code, toError(error).message)))
}
