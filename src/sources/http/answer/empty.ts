/** Decides whether an empty page may be the end of the list. */
import { type Doubt, doubtIn, type Statuses, statusesOf } from '../../signs/doubt.js'
import type { Member } from '../../signs/members.js'
import type { Options } from '../options.js'
import { membersOfHeader } from './headers.js'
import { type Answer, headerOf } from './received.js'

const hint = 'If that is how this server ends a list, set source.pagination.end to empty.'

/** Headers about the answer itself; names as in `Member.name`. */
const telling = /^(warn(ing)?s?|errors?|(error|warning|status)?(code|message|msg)|status|retryafter|partial|degraded)$/

export class Endings {
  readonly #given: Options
  /** What the last answer with items said of the server's status. */
  #statuses: Statuses | undefined
  /** The HTTP statuses of answers with items. */
  readonly #good = new Set([200, 204])

  constructor(given: Options) {
    this.#given = given
  }

  /**
   * Why a page may be a failure, not the end; undefined for one with items.
   *
   * @param members its members beside the list
   * @param isNull whether its list is null, and nothing says that it is the end
   */
  doubt(answer: Answer, members: readonly Member[], items: number, isNull = false): Doubt | undefined {
    const { ok, pagination } = this.#given
    const said = [...members, ...inHeaders(answer)]
    if (items > 0) {
      this.#statuses = statusesOf(said)
      this.#good.add(answer.status)
      return undefined
    }
    if (pagination.end !== 'empty') {
      if (isNull) return { why: 'its list is null', hint }
      if (!this.#good.has(answer.status)) return { why: `its status is ${answer.status}`, hint }
    }
    return ok ? undefined : doubtIn(said, this.#statuses)
  }
}

const inHeaders = ({ headers }: Answer): Member[] =>
  Object.keys(headers)
    .flatMap((name) => membersOfHeader(name, headerOf(headers, name)))
    .filter(({ name }) => telling.test(name))
