/** Asks the questions of `owm init` at the terminal. */
import { createInterface, type Interface } from 'node:readline/promises'
import { secretsInUrl } from '../../../config/redact.js'
import { InterruptedError, inOneText, isOwmError, UsageError } from '../../../errors/index.js'
import { harmless } from '../../format.js'
import { secrets } from '../../output.js'

export interface Question<Meant> {
  readonly text: string
  /** The default, as it is shown. */
  readonly fallback: string
  /** The default's value, if it isn't what is shown. */
  readonly blank?: string
  /** Throws UsageError if the answer makes no sense. */
  understand(answer: string): Meant
  /** Tries the answer, and describes the outcome. Throws OwmError if it can't be used, or not now. */
  tryOut(meant: Meant): Promise<string | undefined>
}

export class Questions {
  readonly #terminal: Interface
  readonly #signal: AbortSignal
  readonly #closed: Promise<never>

  /** @param startAgain the hint if the input ends too soon */
  constructor(signal: AbortSignal, startAgain: string) {
    this.#signal = signal
    this.#terminal = createInterface({ input: process.stdin, output: process.stdout })
    // In raw mode Ctrl-C sends no signal. The command listens for one, to stop reading a list.
    this.#terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    this.#closed = new Promise((_, reject) =>
      this.#terminal.once('close', () => reject(new InterruptedError('SIGINT', startAgain))),
    )
    this.#closed.catch(() => undefined)
  }

  /** Asks until the answer can be used. Throws InterruptedError and AbortError. */
  async ask<Meant>(question: Question<Meant>): Promise<Meant> {
    // A well-formed answer that failed its check is accepted if it is repeated: the list may need `fields:`, or the
    // server be down.
    let untried: string | undefined
    for (;;) {
      const shown = secrets.redact(untried ?? question.fallback)
      const asked = this.#terminal.question(`${question.text} [${harmless(shown)}] `, { signal: this.#signal })
      const input = (await Promise.race([asked, this.#closed])).trim()
      const answer = input || (untried ?? question.blank ?? question.fallback)
      secrets.add(...secretsInUrl(answer))
      try {
        const meant = question.understand(answer)
        const said = answer === untried ? undefined : await question.tryOut(meant)
        if (said !== undefined) this.#say(said)
        return meant
      } catch (thrown) {
        if (this.#signal.aborted || !isOwmError(thrown)) throw thrown
        this.#say(inOneText(thrown.message, thrown.hint))
        untried = thrown instanceof UsageError ? undefined : answer
        if (untried !== undefined) this.#say('Press Enter to keep it all the same, or give another answer.')
      }
    }
  }

  #say(text: string): void {
    process.stdout.write(`  ${harmless(secrets.redact(text))}\n`)
  }

  close(): void {
    this.#terminal.close()
  }
}
