/** What an answer says of itself: the members of its objects beside the list. */
import { isObject, isTree, type Tree } from '../../tasks/json/tree.js'
import { withoutNamespace } from './links.js'

export interface Member {
  /** Its path in the answer, or `the header x-total`. */
  readonly at: string
  /** As written in the answer; undefined for a header. */
  readonly key: string | undefined
  /**
   * Its name in lower case, letters and digits only, without the usual prefixes: `nextlink` of
   * `@odata.nextLink`, `next` of `hydra:next`. The list's own name is `items` in it: `totalitems` of `totalStations`.
   */
  readonly name: string
  /** All members of its object, by their names. */
  readonly beside: Tree
  readonly value: unknown
  /** Whether it stands at the outermost level, beside the list, in `meta` or the like, or in a header. */
  readonly isNear: boolean
  /** How many objects are around it. */
  readonly level: number
}

/** Names of objects that are about the list. */
const envelopes =
  /meta|pag(e|ing|ination|er)|links?$|cursors?$|context|hits|info|summary|query|result|response|^(@?attr(ibutes)?|\$)$/i
/** The same by their short names, as GraphQL servers have them: `places_aggregate`, `placesConnection`. */
const ownEnvelopes = /^(items)?aggregat(e|ion)$|^aggregateitems$|^items(agg|connection)$/
/** As ArangoDB and ArcGIS have them, beside the list; `stats` alone are of anything. */
const envelopePaths = /^(extra|(extra|meta(data)?)\.stat(istic)?s)$/i
/** Objects of counts, `{totals: {stations: 12, pages: 3}}`, by the ends of paths. */
const countEnvelopes = /(^|\.)(total|count)s?$/i
/** In those, what may be of anything as well. */
const vague = /^(hits|count|total|found|matched|available)$/
const mostLevels = 5

export const nameOf = (key: string): string =>
  withoutNamespace(key)
    .replace(/^i(?=Total[A-Z])/, '') // as DataTables once named integers
    .toLowerCase()
    .replace(/^@(\w+\.)+/, '')
    .replace(/[^a-z0-9]/g, '')
    .replace(/^(odata|opensearch|hydra|xms|xwp|x?pagination|x)(?=.)/, '')

/** @param list the path of the list, if known: it is left out, and what is on the way to it counts as near */
export const membersOf = (json: unknown, list?: string): Member[] => [
  ...membersWithin(json, {
    prefix: '',
    list,
    own: list === undefined ? undefined : ownNames(list),
    isNear: true,
    level: 0,
  }),
]

/** Any list's name, rather than its own: `stations` is that of `stations.nodes`. */
const generic = /^(nodes|edges|items|data|values|results?|records|rows|entries|list|response|query|payload|body)$/

/** What a list with such a name holds here. */
const places = ['places', 'stations', 'sites', 'locations', 'cities', 'airports']

/**
 * Finds the list's own name, in the plural and in the singular, at either end of another name. The name above a
 * generic one counts in the plural only: `cityCount` beside `city.items` is a number of cities.
 */
function ownNames(list: string): RegExp | undefined {
  const [last = '', above = ''] = list.split('.').map(nameOf).reverse()
  const isGeneric = generic.test(last)
  const isNamedAbove = isGeneric && !generic.test(above) && /[^su]s$/.test(above)
  const others = isNamedAbove ? [above] : isGeneric && (above === '' || generic.test(above)) ? places : []
  const names = [last, ...others].filter(
    (name) => name.length >= 3 && !/page|next|more|last|total|count|cursor|token/.test(name),
  )
  if (names.length === 0) return undefined
  const forms = names
    .flatMap((name) => [`${name}s`, name, name.replace(/ies$/, 'y'), name.replace(/es$/, ''), name.replace(/s$/, '')])
    .join('|')
  return new RegExp(`^(${forms})(?=.)|(?<=.)(${forms})$`)
}

interface Scope {
  readonly prefix: string
  readonly list: string | undefined
  readonly own?: RegExp | undefined
  readonly isNear: boolean
  readonly level: number
}

export function* membersWithin(json: unknown, scope: Scope): Generator<Member> {
  const { prefix, list, own = /^$/, isNear, level } = scope
  if (!isObject(json)) return
  if (Array.isArray(json) && list === undefined) return
  // The pages of another list in the answer, such as a second connection in GraphQL, are none of this one's.
  const isOfOther = !isNear && Object.values(json).some((value) => Array.isArray(value) && value.some(isTree))
  if (isOfOther && level > 1) return
  // Beside the list, objects of any name are entered; those count as near that are about the list by their name.
  const isAround = list === undefined ? level === 0 : list.startsWith(prefix)
  const counted = isOfCounts(prefix) ? 'total' : ''
  const beside = Object.fromEntries(Object.entries(json).map(([key, value]) => [nameOf(key), value]))
  for (const [key, value] of Object.entries(json)) {
    const at = `${prefix}${key}`
    if (at === list) continue
    // The own name is part of another: of `totalstations`, for `{totals: {stations: 12}}`.
    const name = `${counted}${nameOf(key)}`.replace(own, 'items').slice(counted.length)
    const isOfList = isNear && !(/stats\.$|statistics\.$/i.test(prefix) && vague.test(name))
    yield { at, key, name, beside, value: textIn(value), isNear: isOfList, level }
    const leadsToList = list?.startsWith(`${at}.`) ?? false
    if (!isTree(value) && !leadsToList) continue
    const isEnvelope =
      envelopes.test(key) || ownEnvelopes.test(name) || envelopePaths.test(at) || countEnvelopes.test(at)
    const isAbout = isNear && (leadsToList || isEnvelope || Array.isArray(json))
    const isEntered = isAbout || level === 0 || (!isOfOther && (isEnvelope || isAround))
    if (isEntered && level < mostLevels)
      yield* membersWithin(value, { ...scope, prefix: `${at}.`, isNear: isAbout, level: level + 1 })
  }
}

/** Whether a member's path, or the start of one, is that of an object of counts. */
export const isOfCounts = (at: string): boolean => countEnvelopes.test(at.replace(/\.[^.]*$/, ''))

/** The text of an element that was XML, whose attributes stand beside it; anything else as it is. */
function textIn(value: unknown): unknown {
  if (!isTree(value)) return value
  const texts = Object.entries(value).filter(([key, text]) => textKeys.test(key) && !isObject(text))
  return texts.length === 1 ? texts[0]?.[1] : value
}

const textKeys = /^(_|\$|\$t|#|#text|__?text|_content|@value)$/
