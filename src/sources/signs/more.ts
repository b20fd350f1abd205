/**
 * Signs in an answer that its list has more than was read, however the server paginates.
 *
 * They are many and vague, so that none ends a list or is followed. But a list that ends despite a sign of more isn't
 * taken for the whole.
 */
import { exactJson } from '../../tasks/json/exact.js'
import { isObject } from '../../tasks/json/tree.js'
import { countIn, namesItems, namesPages, numberIn, things } from './counts.js'
import type { Exactness } from './exactness.js'
import { leadsToNext, linksIn, nextOf } from './links.js'
import type { Member } from './members.js'
import { type Found, isNo, isYes } from './tree.js'

export interface Sign {
  /** Its path in the answer, or its header. */
  readonly at: string
  /** Its value, shortened. */
  readonly said: string
  /**
   * Whether it names the next page, only says that more follows or what is lacking, or how many items or pages there
   * are at least.
   */
  readonly kind: 'next' | 'more' | 'lacking' | 'items' | 'pages'
  /** Items or pages. */
  readonly atLeast: number
  /** Of that number; exact by default. */
  readonly exactness?: Exactness
  /** Which setting would follow it. */
  readonly hint: string
}

export const anyWay = "Set source.pagination as the server's pages are asked for, or ask for all at once."

export const linkHint = 'Set source.pagination.type to link.'

const leastHint =
  'The server stopped counting there: let it count all (Elasticsearch and OpenSearch do with track_total_hits=true ' +
  'in source.url). If it gives no more either, read the list in parts, each with its own filter in source.url.'

/** `/x`, `?page=2` or, as OData 3 writes it, `Stations?$skiptoken=5`. */
const isLink = (text: string): boolean => /^(https?:)?\/|^\?|^[\w.~-]+\?[\w$.-]+=/.test(text)

/** The setting that follows a value of an answer to the next page. */
function hintFor(next: string, at: string): string {
  if (next.startsWith('[')) return anyWay
  if (/^\d+$/.test(next)) return 'Set source.pagination.type to page or offset, as the server counts.'
  if (/scroll_?id$/i.test(at))
    return "Scrolls can't be followed. Set source.pagination: {type: offset, parameters: {offset: from, limit: size}}."
  const how = isLink(next) ? 'link' : 'cursor'
  if (at.startsWith('the header'))
    return `Set source.pagination.type to ${how}, if the server has it in its answers, too.`
  return `Set source.pagination.type to ${how}, and source.next to ${at}.`
}

// Names are in lower case, letters and digits only.
const places =
  'page|cursor|token|offset|url|uri|links?|href|start|key|marker|batch|set|records?|results?|items?|index|skip|' +
  'position|after|from|id|max|number|no|num|query|path|params?|range|row|first|chunk|part|group|sequence|seq'
const lost = '(failed|missing|omitted|dropped|skipped|unavailable|unreachable)'
const parts = 'sources?|parts?|pages?|regions?|servers?|hosts?|nodes?|backends?|providers?|partitions?|files?|queries'
const named = (...words: readonly string[]): RegExp => new RegExp(`^(${words.join('|')})$`)

const names = {
  more: named(
    '(has|is|are|there)?(next(page|results?|items?)?|additional\\w*)',
    `(has|is|are|was|were|there)?(${things}|list|response|output)?(is|was|were)?(truncated|limited|capped)`,
    'searchcutoff',
    `truncated(${things}|list|response|output)`,
    '(has|is|are|there|can)?(load|fetch|get)?more(?!info)\\w*',
    '(is|are)?(partial|incomplete)\\w*|exceeded\\w*limit|limit(reached|exceeded)|continues?',
    `(max|row|size|page|${things})*limit(is|was)?(reached|exceeded|hit)|max(${things})reached`,
  ),
  left: named(`remaining(${things}|pages?)(count)?|(${things}|pages?)(left|remaining)`),
  lacking: named(`${lost}|${lost}(${things}|${parts})(count)?|(${things}|${parts})${lost}`),
  last: named(
    '(is|at)?(last(page|batch|chunk)?|end(of\\w*)?|eof|final|done|completed?|finished|exhausted)',
    'all\\w*(loaded|returned)',
  ),
  next: named(
    `(${places})?next(${places})*`,
    'continu(e|ation)\\w*|querycontinue|resumptiontoken|(page|paging|scroll)?token|scrollid|searchafter',
    'last(evaluated)?key|pag(e|ing)state',
  ),
  cursor: named('cursor', 'after', 'offset'),
  words: named('messages?|msg|warnings?|notices?|notes?|remarks?|infos?|details?|comments?|status|state|result'),
}

/** Phrases of servers for an incomplete answer. */
const partWords =
  /truncat|incomplete|partial|limited to|(only|exceeds?) the (first|max)|first \d+ |too many (results|rows|records)/i

/** A note may be about the places, "incomplete before 1950": it must clearly be about the answer. */
const noteNames = /^(notes?|remarks?|infos?|details?|comments?)$/
const answerNouns = '(results?|rows?|records?|items?|entries|features|elements?|list|data|response|answer|output|page)'
const noteWords = new RegExp(
  `truncated|^\\W*(incomplete|partial)\\W*$|\\b(incomplete|partial) ${answerNouns}\\b|` +
    `\\b${answerNouns}( (is|are|was|were|has been|have been))?( only)? (incomplete|partial)\\b|` +
    `\\b(results?|rows|records|items|output|response)( (is|are|was|were))? limited to( the| first)* \\d|` +
    `\\b(limited to|only|exceeds?|first|max(imum)?)( the| first| max(imum)?( of)?)* [\\d,]+ ${answerNouns}\\b|` +
    `too many ${answerNouns}\\b`,
  'i',
)

const isPart = ({ name, value, isNear }: Member): boolean => {
  const words = Array.isArray(value) && /^(messages|warnings|notices)$/.test(name) ? exactJson(value) : value
  const isSaid = noteNames.test(name) ? noteWords : partWords
  return isNear && names.words.test(name) && typeof words === 'string' && isSaid.test(words)
}

/** Whether a member of this name is about the list's length or its pages. */
export const isOfPaging = (name: string): boolean => leadsOn(name) || namesItems(name) || names.cursor.test(name)

/** Whether nothing in an answer says if its list goes on. Counts don't: they may be of its own items. */
export const isSilent = (members: readonly Member[]): boolean =>
  !members.some(({ name, isNear }) => isNear && leadsOn(name))

const leadsOn = (name: string): boolean =>
  [names.next, names.more, names.last].some((each) => each.test(name)) || namesPages(name)

/** @param asked values in the request, which a server may repeat */
export const signsIn = (members: readonly Member[], asked: ReadonlySet<string> = new Set()): Sign[] =>
  members.flatMap((member) => signOf(member, asked) ?? [])

function signOf(member: Member, asked: ReadonlySet<string>): Sign | undefined {
  const { at, value, isNear } = member
  const said = typeof value === 'object' ? (exactJson(value) ?? '').slice(0, 60) : String(value).slice(0, 60)
  const sign = { at, said, atLeast: 0, hint: anyWay }
  const count = isNear ? countIn(member) : undefined
  if (count) return { ...sign, ...count, ...(count.exactness === 'at least' && { hint: leastHint }) }
  if (isNear && saysWhatIsLacking(member)) return { ...sign, kind: 'lacking' }
  if (saysMore(member)) return { ...sign, kind: 'more' }
  const link = linksIn(value).find(leadsToNext)
  if (link) {
    const path = `${at}.${link.relations.find((each) => leadsToNext({ relations: [each] })) ?? ''}`
    return { ...sign, at: path, said: link.href, kind: 'next', hint: linkHint }
  }
  const next = isNextName(member) ? placeIn(at, value) : undefined
  const text = String(next?.value)
  if (next === undefined || asked.has(text)) return undefined
  return { ...sign, at: next.at, said: text.slice(0, 60), kind: 'next', hint: hintFor(text, next.at) }
}

function saysMore(member: Member): boolean {
  const { name, value, isNear } = member
  if (names.more.test(name)) return isYes(value)
  return (
    (isNear && names.last.test(name) && isNo(value)) ||
    (isNear && names.left.test(name) && (numberIn(value) ?? 0) > 0) ||
    isPart(member)
  )
}

/** `failed_sources: ["EU"]`; a mere number must say of what: one that was skipped may be an offset. */
const saysWhatIsLacking = ({ name, value }: Member): boolean =>
  names.lacking.test(name) &&
  (Array.isArray(value) ? value.length > 0 : !new RegExp(`^${lost}$`).test(name) && (numberIn(value) ?? 0) > 0)

/** `offset`, `cursor` and `after` often repeat the request; as text beside the list they lead on. */
const isNextName = ({ at, name, value, isNear }: Member): boolean =>
  names.next.test(name) ||
  // A link with a query leads to a page; one without may tell more of the list.
  (names.more.test(name) && typeof value === 'string' && isLink(value) && value.includes('?')) ||
  (isNear && names.cursor.test(name) && typeof value === 'string' && !/^\d*$/.test(value) && !/cursors/i.test(at)) ||
  (name === 'after' && /paging/i.test(at) && !/cursors/i.test(at))

/** The value that leads to the next page, if any; also in `{page: 2}`, or `{id: {S: "a"}}`. */
function placeIn(at: string, value: unknown): Found | undefined {
  const next = nextOf(value)
  if (next !== undefined) return { at, value: next }
  // Several values lead on only together, as in Elasticsearch's `search_after`.
  if (Array.isArray(value) && value.length > 1) return { at, value: exactJson(value) }
  if (!isObject(value)) return undefined
  return Object.entries(value).flatMap(([key, inner]) => placeIn(`${at}.${key}`, inner) ?? [])[0]
}

/** For messages: `250`, `at least 10001`, `about 250`. */
export const countInWords = ({ atLeast, exactness = 'exact' }: Sign): string =>
  `${{ exact: '', estimated: 'about ', 'at least': 'at least ' }[exactness]}${atLeast}`
