/**
 * Whether an empty page is the end of a list, or a failure with a good status. At the end a server reports the status
 * of the pages before, or that there is no more; anything else counts as a failure.
 */
import { exactJson } from '../../tasks/json/exact.js'
import { isObject } from '../../tasks/json/tree.js'
import type { Member } from './members.js'
import { isOfPaging } from './more.js'

/** Members with a server's status; names as in `Member.name`. */
const statusNames =
  /^(ok|success|status\w*|stat|state|code|cod|result|response|outcome|reason|remark|ack|rc|errno|err(or)?code|retcode)$/
const faultNames =
  /^(errors?|err|warn(ing)?s?|faults?|exceptions?|(error|warning)(code|message|msg|text)|notices?|retryafter)$/
const faultFlags = /^(throttled|timedout|degraded|aborted|failed|(is)?(partial|incomplete)\w*)$/
/** Members that change with each page, and those that say that there are no items. */
const plainNames = new RegExp(
  '^((is)?(first|empty)|no(data|results?|content)|(has|is)?prev\\w*|page\\w*|per\\w*|limit|size|start|end|skip|' +
    'from|to|self|\\w*id|took|time|timestamp|date|duration|elapsed|version|query|url|type|kind|object)$',
)
const messageNames = /^(message|msg|detail|info|description|title|text|note)s?$/

const goodEnd =
  /^\s*$|^(ok(ay)?|success|succeeded|fine|good|true|yes|null|none|no\b|no_|nothing|zero|empty|end|eof|last|done)/i
const goodCode = /^(0+|1|2\d\d( .*)?|404)$/
const badWords = new RegExp(
  'throttl|too many|limit|exceed|error|fail|denied|unavailable|tim(e|ed)[ _-]?out|again|overload|busy|quota|partial|' +
    'expired|unauthori|forbidden|maintenance|permission|not allowed|no credit|' +
    'being (re)?(built|computed|prepared|loaded)',
  'i',
)

/** What a message says at the end of a list, where the pages before had none. */
const plainEnd = new RegExp(
  '\\b(no|none|nothing|without|end|last|empty|zero|0|ok(ay)?|success\\w*|found|all|done|complete\\w*|' +
    'finish\\w*|reached|out of|beyond|past|behind|results?|records?|items?|rows?|pages?|kein\\w*|ende|aucun\\w*|' +
    'fin|sin|nessun\\w*)\\b',
  'i',
)

const hint = 'If that is how this server ends a list, name what its good answers say in source.ok.'

export interface Doubt {
  readonly why: string
  readonly hint: string
}

/** What a page says of the server's status, by path. */
export type Statuses = ReadonlyMap<string, string>

export function statusesOf(members: readonly Member[]): Statuses {
  const telling = members.filter(({ name, value }) => faultNames.test(name) || (!isObject(value) && !isPlain(name)))
  return new Map(telling.map(({ at, value }) => [at, statusInWords(value)]))
}

/** Whether a name is clearly that of a status, at whatever depth. */
const isTelling = (name: string): boolean =>
  [/^(ok|success|status\w*)$/, faultNames, faultFlags].some((names) => names.test(name))

const isPlain = (name: string): boolean => plainNames.test(name) || isOfPaging(name)

const statusInWords = (value: unknown): string => {
  if (isObject(value)) return Object.keys(value).length === 0 ? '' : (exactJson(value) ?? '')
  // The header Warning may have a date, which differs with each answer.
  return value === null ? '' : String(value).replace(/\s*"\w{3}, [\w ]+[\d:]+ GMT"/g, '')
}

/**
 * Why an empty page may not be the end, in words.
 *
 * @param before what the last page with items said; undefined if there was none
 */
export function doubtIn(members: readonly Member[], before: Statuses | undefined): Doubt | undefined {
  const now = statusesOf(members)
  for (const { at, name, isNear } of members) {
    const said = now.get(at)
    const then = before?.get(at)
    if (said === undefined || said === then || !(isNear || isTelling(name))) continue
    if (isBad(name, said, then, before !== undefined)) return { why: `${at} is ${said.slice(0, 100)}`, hint }
  }
  return undefined
}

/** @param then its value on the last page with items; undefined if it was missing */
function isBad(name: string, said: string, then: string | undefined, isCompared: boolean): boolean {
  const isNothing = /^(|0+|false|null|none|no|ok)$/i.test(said)
  if (faultNames.test(name) || faultFlags.test(name)) return !isNothing
  if (messageNames.test(name)) {
    const isNew = isCompared && (then ?? '') === '' && /^(message|msg)s?$/.test(name)
    return badWords.test(said) || (isNew && !isNothing && !plainEnd.test(said))
  }
  if (name === 'ok' || name === 'success') return isNothing && !/^(none|ok)$/i.test(said)
  if (statusNames.test(name)) return badWords.test(said) || (isCompared && !goodEnd.test(said) && !goodCode.test(said))
  // An unknown member: at the end of a list none is new, and no flag flips.
  const isFlag = /^(true|false)$/.test(said)
  return isCompared && (then === undefined ? isFlag || !isNothing : isFlag)
}
