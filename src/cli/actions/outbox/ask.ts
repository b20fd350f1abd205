/** Confirmations at the terminal. */
import { createInterface } from 'node:readline/promises'
import type { UsageError } from '../../../errors/index.js'

/** Whether a person can answer: the question goes to standard error, the answer comes on standard input. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** True only for y or yes; Ctrl+D is a no. Throws AbortError if the signal ends it. */
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

/** Throws `unasked` without a terminal, `refused` if the answer is no. */
export async function mustConfirm(
  question: string,
  { unasked, refused, signal }: { unasked: UsageError; refused: UsageError; signal: AbortSignal },
): Promise<void> {
  if (!canAsk()) throw unasked
  if (!(await isConfirmed(question, signal))) throw refused
}
