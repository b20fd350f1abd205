/** What an answer says of itself: the members of its objects beside the list, and its headers. */
import { isObject, isTree } from '../../tasks/json/tree.js'
import { withoutNamespace } from './links.js'

export interface Member {
  /** Its path in the answer, or `the header x-total`. */
  readonly at: string
  /** As written in the answer; undefined for a header. */
  readonly key: string | undefined
  /**
   * Its name in lower case, letters and digits only, without the usual prefixes: `nextlink` of
   * `@odata.nextLink`, `next` of `hydra:next`.
   */
  readonly name: string
  readonly value: unknown
  /** Whether it stands at the outermost level, beside the list, in `meta` or the like, or in a header. */
  readonly isNear: boolean
  /** How many objects are around it. */
  readonly level: number
}

/** Names of objects that are about the list. */
const envelopes = /meta|pag(e|ing|ination|er)|links?$|cursors?$|context|hits|info|summary|query|result|response/i
const mostLevels = 5

const nameOf = (key: string): string =>
  withoutNamespace(key)
    .toLowerCase()
    .replace(/^@\w+\./, '')
    .replace(/[^a-z0-9]/g, '')
    .replace(/^(odata|opensearch|hydra|xms|xwp|x?pagination|x)(?=.)/, '')

/** @param list the path of the list, if known: it is left out, and what is on the way to it counts as near */
export const membersOf = (json: unknown, list?: string): Member[] => [
  ...membersWithin(json, { prefix: '', list, isNear: true, level: 0 }),
]

interface Scope {
  readonly prefix: string
  readonly list: string | undefined
  readonly isNear: boolean
  readonly level: number
}

function* membersWithin(json: unknown, { prefix, list, isNear, level }: Scope): Generator<Member> {
  if (!isObject(json)) return
  if (Array.isArray(json) && list === undefined) return
  for (const [key, value] of Object.entries(json)) {
    const at = `${prefix}${key}`
    if (at === list) continue
    yield { at, key, name: nameOf(key), value, isNear, level }
    const leadsToList = list?.startsWith(`${at}.`) ?? false
    if (!isTree(value) && !leadsToList) continue
    const isAbout = isNear && (leadsToList || envelopes.test(key) || Array.isArray(json))
    if (isAbout ? level < mostLevels : level === 0)
      yield* membersWithin(value, { prefix: `${at}.`, list, isNear: isAbout, level: level + 1 })
  }
}

/** The members of a header; some servers put a JSON object into one: X-Pagination. */
export function membersOfHeader(name: string, text: string): Member[] {
  const at = `the header ${name}`
  if (/pagina/i.test(name) && text.startsWith('{'))
    try {
      return [...membersWithin(JSON.parse(text), { prefix: `${at}, `, list: undefined, isNear: true, level: 1 })]
    } catch {
      return []
    }
  return [{ at, key: undefined, name: nameOf(name), value: text, isNear: true, level: 0 }]
}
