/**
 * Whether an empty page is the end of a list, or a failure with a good status. At the end a server says of itself what
 * it said with the pages before, or that there is no more; anything else is a failure.
 */
import type { Member } from './members.js'

/** What a server says of itself; names as members have them. */
const statusNames = /^(ok|success|status\w*|stat|state|code|cod|result|response|outcome|reason|remark)$/
const faultNames = /^(errors?|err|warn(ing)?s?|faults?|exceptions?|(error|warning)(code|message|msg|text)|notices?)$/
const faultFlags = /^(throttled|timedout|degraded|aborted|failed|partial\w*|incomplete\w*)$/
const messageNames = /^(message|msg|detail|info|description|title|text|note)s?$/

const goodEnd =
  /^\s*$|^(ok(ay)?|success|succeeded|fine|good|true|yes|null|none|no\b|no_|nothing|zero|empty|end|eof|last|done)/i
const goodCode = /^(0+|1|2\d\d|404)$/
const badWords = new RegExp(
  'throttl|too many|limit|exceed|error|fail|denied|unavailable|tim(e|ed)[ _-]?out|again|overload|busy|quota|partial|' +
    'expired|unauthori|forbidden|maintenance',
  'i',
)

const hint = 'If that is how this server ends a list, name what its good answers say in source.ok.'

export interface Doubt {
  readonly why: string
  readonly hint: string
}

/** What a page says of the server's state, by path, in short. */
export type Statuses = ReadonlyMap<string, string>

export function statusesOf(members: readonly Member[]): Statuses {
  const names = [statusNames, faultNames, faultFlags, messageNames]
  const telling = members.filter(
    ({ key, name, value }) =>
      key !== undefined && names.some((each) => each.test(name)) && (!isInner(value) || faultNames.test(name)),
  )
  return new Map(telling.map(({ at, value }) => [at, wordsOf(value)]))
}

const isInner = (value: unknown): boolean => typeof value === 'object' && value !== null

const wordsOf = (value: unknown): string =>
  typeof value === 'object'
    ? value === null || Object.keys(value).length === 0
      ? ''
      : JSON.stringify(value)
    : String(value)

/**
 * Why an empty page may be no end, in words.
 *
 * @param before what the last page with items said; undefined where there was none
 */
export function doubtIn(members: readonly Member[], before: Statuses | undefined): Doubt | undefined {
  const now = statusesOf(members)
  for (const { at, name } of members) {
    const said = now.get(at)
    if (said === undefined || said === before?.get(at)) continue
    if (isBad(name, said, before !== undefined)) return { why: `${at} is ${said.slice(0, 100)}`, hint }
  }
  return undefined
}

function isBad(name: string, said: string, isCompared: boolean): boolean {
  const isNothing = /^(|0+|false|null|none|no|ok)$/i.test(said)
  if (faultNames.test(name) || faultFlags.test(name)) return !isNothing
  if (messageNames.test(name)) return badWords.test(said)
  if (name === 'ok' || name === 'success') return isNothing && !/^(none|ok)$/i.test(said)
  return badWords.test(said) || (isCompared && !goodEnd.test(said) && !goodCode.test(said))
}
