/** Whether a count is exact: some servers stop counting somewhere, others estimate, and say so beside it or in it. */
import { isTree } from '../../tasks/json/tree.js'
import type { Member } from './members.js'
import { isNo, isYes } from './tree.js'

export type Exactness = 'exact' | 'estimated' | 'at least'

/** Of several: the one that says the least. */
export const vaguest = (all: readonly Exactness[]): Exactness =>
  (['at least', 'estimated'] as const).find((each) => all.includes(each)) ?? 'exact'

/** How a number stands to the true one, in a value: `{"relation": "gte"}`. */
const relations = /^(relation|comparison|comparator|operator|qualifier|accuracy|precision|quality|type)$/
const leastWords = /^(>=?|≥|gte?|at_?least|lower_?bound|greater_?than(_?or_?equal(_?to)?)?|more_?than)$/i
const estimates = /^(approx(imat(e|ed|ion))?|estimate[ds]?|inexact)$/i

// Flags, in lower case, letters only.
const leastFlags = /^(is|was)?(atleast|lowerbound|capped|limited|clipped|cut(off)?|(record)?limitexceeded)$/
const estimateFlags = /^(is|was)?(an?)?(approximate[ds]?|estimate[ds]?|inexact)$/
const exactFlags = /^(is|was)?(exact|accurate|precise|exhaustive)$/

const plain = (key: string): string => key.toLowerCase().replace(/[^a-z]/g, '')

/** @param key plain, without the words for the count itself */
function saidBy(key: string, value: unknown): Exactness {
  const text = String(value)
    .trim()
    .replace(/[\s-]+/g, '_')
  if (relations.test(key)) return leastWords.test(text) ? 'at least' : estimates.test(text) ? 'estimated' : 'exact'
  // `{"limited": 20}` may name the limit.
  if (leastFlags.test(key)) return isYes(value) || (typeof value === 'number' && value > 0) ? 'at least' : 'exact'
  const isEstimate = (estimateFlags.test(key) && isYes(value)) || (exactFlags.test(key) && (isNo(value) || value === 0))
  return isEstimate ? 'estimated' : 'exact'
}

const countWords = /total|counts?|num(ber)?(of)?|nb|hits|found/g

/** What a name says beside a count: `exact` of `numFoundExact`, `islowerbound` of `total_is_lower_bound`. */
const withoutCount = (name: string): string => {
  const rest = name.replace(countWords, '')
  return rest === name && name !== 'relation' ? '' : rest
}

/** Of a member that counts something. */
export const exactnessOf = ({ name, value, beside }: Pick<Member, 'name' | 'value' | 'beside'>): Exactness =>
  vaguest([
    /estimat|approx/.test(name) ? 'estimated' : /lowerbound|atleast/.test(name) ? 'at least' : 'exact',
    ...Object.entries(isTree(value) ? value : {}).map(([key, each]) => saidBy(plain(key), each)),
    ...Object.entries(beside).map(([key, each]) => (key === name ? 'exact' : saidBy(withoutCount(key), each))),
  ])
