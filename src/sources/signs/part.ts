/** Answers that were saved as a file: whether one is the whole list, by what it says itself. */
import { hasMore } from './marks.js'
import { membersOf } from './members.js'
import { refusalIn } from './refusal.js'
import { type Sign, signsIn } from './signs.js'
import { excerpt } from './tree.js'

/**
 * Why a document isn't the whole list: `says that more follows`. Undefined where it says nothing of the kind.
 *
 * @param items how many items it has
 */
export function partIn(document: unknown, items: number): string | undefined {
  const refusal = refusalIn(document)
  if (refusal) return `says that it is an error: ${refusal.said}`
  const more = hasMore(document)
  if (more) return 'says that more follows'
  const signs = signsIn(membersOf(document))
  for (const kind of ['next', 'more', 'pages', 'items'] as const) {
    const most = { next: 0, more: 0, pages: 1, items }[kind]
    const sign = signs.find((each) => each.kind === kind && (most === 0 || each.atLeast > most))
    if (sign && (kind !== 'next' || more === undefined)) return wordsOf(sign, items)
  }
  return undefined
}

function wordsOf({ kind, at, said, atLeast }: Sign, items: number): string {
  if (kind === 'next') return `says that it goes on at ${excerpt(said)}`
  if (kind === 'more') return `says that more follows: ${at} is ${said}`
  if (kind === 'pages') return `says that it is one of ${atLeast} pages`
  return `says that it has ${atLeast} items, but ${items} are in it`
}
