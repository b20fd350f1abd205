/** What a header says of the list, under whatever vendor's name. */
import { things } from '../../signs/counts.js'
import { type Member, membersWithin, nameOf } from '../../signs/members.js'

/** Headers that hold several values, as JSON or as `total=23; page=1`. */
const packed = /pag(e|ing|ina)|cursor|result-?set|(^|-)meta(data)?$/i

/** Headers that say how much of something else there is: `X-RateLimit-Total-Count`. */
const otherThings = new RegExp(
  'rate|limit|quota|cache|throttl|request|retr(y|ies)|attempt|redirect|error|warning|fail|alert|quer(y|ies)|call|' +
    'time|byte|length|cost|credit|usage|budget|token|auth|csrf|session|user|client|visit|message|notification|' +
    'subscri|job|task',
)

/** Ends of headers' names that are about a list: more than one word, since one alone may be anything. */
const ends = new RegExp(
  `^((total|num(ber)?|count)-?(of-?)?(count|found|matched|returned|pages?|${things})|` +
    `(${things}|pages?)-?(total|count)|total-?(${things})-?count|` +
    `has-?(more|next(-?page)?)|(${things}|response|body|list|output|is|was)-?truncated|truncated|` +
    'next-?(page|cursor|token|link|url|offset|page-?token)|continuation-?token|' +
    `max-?(${things}))$`,
)

/** Of these, ends that say too little behind another word: `X-WAF-Match-Count`, `X-Not-Truncated`. */
const vague = /^((hits?|match(es)?|objects?|documents?|docs?)-?(total|count)|truncated)$/

/** @param name in lower case */
export function membersOfHeader(name: string, text: string): Member[] {
  const at = `the header ${name}`
  const own = nameOf(withoutVendor(name))
  const whole = { at, key: undefined, name: own, beside: {}, value: text, isNear: true, level: 0 }
  if (!packed.test(name)) return [whole]
  const values = text.startsWith('{') ? inJson(text) : inPairs(text)
  const members = [...membersWithin(values, { prefix: `${at}, `, list: undefined, isNear: true, level: 1 })]
  return text.startsWith('{') ? members : [whole, ...members]
}

function inJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

function inPairs(text: string): unknown {
  const pairs = text.split(/[;,&]/).map((pair) => /^\s*([\w.-]+)\s*=\s*"?([^"=]+?)"?\s*$/.exec(pair))
  return pairs.some((pair) => pair === null)
    ? {}
    : Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']))
}

/**
 * The end of a name that is about the list: `total-count` of `fiware-total-count`. What stands before it is a vendor:
 * at most two words, and none in the plural, which would be what is counted.
 */
function withoutVendor(name: string): string {
  const words = name.split('-')
  const start = [1, 2, 3].find((at) => ends.test(words.slice(at).join('-')))
  if (start === undefined) return name
  const end = words.slice(start).join('-')
  const vendor = words.slice(0, start).filter((word) => word !== 'x')
  const isVendor = vendor.length <= 2 && !vendor.some((word) => otherThings.test(word) || isPlural(word))
  return !isVendor || (vague.test(end) && vendor.length > 0) ? name : end
}

/** Whether a word seems to be a plural; some vendors only end as one does. */
const isPlural = (word: string): boolean => /[^s]s$/.test(word) && !vendorsWithS.test(word)
const vendorsWithS = /^(results|items|records|ms|aws|wfs|wms|news|dhis|(\w+)?gis)$/
