/** Members of an answer that may be what an option reads. */
import type { Found } from '../../signs/tree.js'

/** An error about an answer: the configuration is wrong if it is the first one, else the server has a bad moment. */
export type Wrong = (what: string, hint: string) => Error

export interface About {
  readonly where: string
  readonly isFirst: boolean
  readonly wrong: Wrong
  readonly isSuspicious: boolean
}

/** The one candidate for an option. Throws if there are several with different values. */
export function only(option: 'items' | 'total' | 'next', found: readonly Found[], wrong: Wrong): Found | undefined {
  if (new Set(found.map(({ value }) => value)).size <= 1) return found[0]
  throw wrong(
    `has more than one candidate for source.${option}: ${found.map(({ at }) => at).join(', ')}`,
    `Name the right one in source.${option}.`,
  )
}
