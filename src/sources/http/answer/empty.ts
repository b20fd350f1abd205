/** Decides by the pages before whether an empty page may be the end of the list, and whether a status means a part. */
import { STATUS_CODES } from 'node:http'
import { type Doubt, doubtIn, type Statuses, statusesOf } from '../../signs/doubt.js'
import type { Member } from '../../signs/members.js'
import { anyWay, type Sign } from '../../signs/more.js'
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
  /** The items in the last answer that had any. */
  #items = 0
  /** Whether the last answer with items came from where a redirect led to. */
  #isElsewhere: boolean | undefined

  constructor(given: Options) {
    this.#given = given
  }

  /** That a page isn't whole, by its status: 206 or 207 on a shorter page than the one before, which had another. */
  part({ status, headers }: Answer, items: number): Sign[] {
    const isPart = (status === 206 || status === 207) && headerOf(headers, 'content-range') === ''
    const said = `${status} ${STATUS_CODES[status] ?? ''}`
    const isNew = items < this.#items && !this.#good.has(status)
    return isPart && isNew ? [{ at: 'its status', said, kind: 'lacking', atLeast: 0, hint: anyWay }] : []
  }

  /**
   * Why a page may be a failure, not the end; undefined for one with items.
   *
   * @param members its members beside the list
   * @param odd what is unlike the end of a list in it
   */
  doubt(answer: Answer, members: readonly Member[], items: number, odd?: string): Doubt | undefined {
    const { ok, pagination } = this.#given
    const said = [...members, ...inHeaders(answer)]
    if (items > 0) {
      this.#statuses = statusesOf(said)
      this.#good.add(answer.status)
      this.#items = items
      this.#isElsewhere = answer.isElsewhere
      return undefined
    }
    if (pagination.end !== 'empty') {
      if (odd !== undefined) return { why: odd, hint }
      if (!this.#good.has(answer.status)) return { why: `its status is ${answer.status}`, hint }
      if (answer.isElsewhere && this.#isElsewhere === false)
        return { why: `it was redirected to ${answer.url.pathname}`, hint }
    }
    return ok ? undefined : doubtIn(said, this.#statuses)
  }
}

/** What the end of a name says, whosever status it is: `grpcstatus`, `amznerrortype`. A cache's isn't the answer's. */
const ownName = (name: string): string =>
  name.replace(/^.*(?<!cache)(status|error(code)?)$/, '$1').replace(/^.*errortype$/, 'error')

const cacheWords = /^(hit|miss|bypass|dynamic|stale|updating|revalidated)$/i

const inHeaders = ({ headers }: Answer): Member[] =>
  Object.keys(headers)
    .flatMap((name) => membersOfHeader(name, headerOf(headers, name)))
    .map((member) => ({ ...member, name: ownName(member.name) }))
    .filter(({ name, value }) => telling.test(name) && !cacheWords.test(String(value)))
