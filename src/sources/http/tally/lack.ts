/** What pages say is missing from them: no later page brings that. */
import type { OwmError } from '../../../errors/index.js'
import type { Sign } from '../../signs/more.js'
import { lackError } from '../errors.js'
import type { Page } from '../pagination/index.js'

export class Lack {
  /** The first page that said so, and its words. */
  #first: { readonly named: string; readonly sign: Sign } | undefined

  add(page: Page, before: Page, named: string): void {
    const sign = lackIn(page, before)
    if (sign) this.#first ??= { named, sign }
  }

  /** @param isCounted whether the pages are counted: with `next: false`, no link and no cursor would be followed */
  error(isCounted = true): OwmError | undefined {
    return this.#first && lackError(this.#first.sign, this.#first.named, isCounted ? undefined : 'Look at the server.')
  }
}

/**
 * What a page says is missing from it. A sign of more, `partial: true`, may be about the pages that follow; it isn't if
 * the page before has none, although others followed that one, and this page is shorter.
 */
function lackIn({ signs, count }: Page, before: Page): Sign | undefined {
  const isShorter = count > 0 && count < before.count
  const isNew = ({ at }: Sign): boolean => !before.signs.some((each) => each.at === at)
  return signs.find((sign) => sign.kind === 'lacking' || (sign.kind === 'more' && isShorter && isNew(sign)))
}
