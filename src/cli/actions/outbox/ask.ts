/** A question to whoever sits at the terminal. */
import { createInterface } from 'node:readline/promises'

/** Whether somebody sits there: the question goes to standard error, the answer comes on standard input. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** True only for y or yes: Ctrl+D is no answer. Throws AbortError where the signal ends it. */
export async function isConfirmed(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `, { signal }), closed])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
