/**
 * The positions of a run's tasks in its source, as far as this process has read it, for reports of conflicts.
 *
 * Positions are mostly consecutive (`line 17`, `line 18`): a stretch of those takes one entry, so memory stays flat.
 */

/** The most stretches that are kept, some megabytes; later positions are dropped. */
const mostStretches = 50_000

interface Stretch {
  /** The index of its first task. */
  readonly from: number
  readonly before: string
  readonly first: number
  readonly behind: string
  count: number
}

export class Positions {
  readonly #stretches: Stretch[] = []
  /** The index of the next task. */
  #next: number

  /** @param from the number of tasks that the run had before */
  constructor(from: number) {
    this.#next = from
  }

  /** @param position of the next task; undefined if it won't be needed */
  add(position: string | undefined): void {
    const from = this.#next++
    if (position === undefined) return
    const last = this.#stretches.at(-1)
    if (last && last.from + last.count === from && position === positionIn(last, last.count)) last.count++
    else if (this.#stretches.length < mostStretches) {
      const [, before = position, digits = '', behind = ''] = /^(.*?)(\d{1,15})(\D*)$/s.exec(position) ?? []
      if (digits !== '' && String(Number(digits)) !== digits) return
      this.#stretches.push({ from, before, first: digits === '' ? Number.NaN : Number(digits), behind, count: 1 })
    }
  }

  /** Undefined if it isn't known. */
  of(index: number): string | undefined {
    const stretch = this.#stretches.findLast(({ from }) => from <= index)
    if (!stretch || index >= stretch.from + stretch.count) return undefined
    return positionIn(stretch, index - stretch.from)
  }
}

const positionIn = ({ before, first, behind }: Stretch, at: number): string =>
  Number.isNaN(first) ? before : `${before}${first + at}${behind}`
