import type { Progress } from '../pipeline/parts.js'
import { count } from './format.js'

/** One line on standard error that is written over; nothing where that is no terminal. */
export class ProgressBar {
  readonly #started = Date.now()
  readonly #enabled: boolean
  #last = 0

  constructor(enabled: boolean) {
    this.#enabled = enabled
  }

  update = (progress: Progress): void => {
    const now = Date.now()
    if (!this.#enabled || now - this.#last < 100) return
    this.#last = now
    const { read, delivered, total } = progress
    const rate = Math.round((delivered || read) / Math.max(0.001, (now - this.#started) / 1000))
    const share = total ? Math.min(1, delivered / total) : undefined
    const bar =
      share === undefined
        ? ''
        : `[${'#'.repeat(Math.round(share * 20)).padEnd(20, '.')}] ${Math.floor(share * 100)} %  `
    process.stderr.write(`\r\u001b[K${bar}${count(read)} read, ${count(delivered)} delivered, ${count(rate)}/s`)
  }

  /** Takes the line away, before other output. */
  clear(): void {
    if (this.#enabled && this.#last > 0) process.stderr.write('\r\u001b[K')
  }
}
