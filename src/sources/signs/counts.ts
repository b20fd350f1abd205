/**
 * What an answer counts: the items of its list, or its pages. Servers have many names for that, so any name counts
 * that consists only of words for counting and for what is counted.
 */
import { isTree } from '../../tasks/json/tree.js'
import type { Member } from './members.js'
import { wholeOf } from './tree.js'

interface Count {
  readonly kind: 'items' | 'pages'
  readonly atLeast: number
}

// Names are in lower case, with letters and digits only; `items` stands for the list's own name.
export const things =
  'items?|results?|elements?|records?|rows?|hits?|features?|documents?|docs?|objects?|entry|entries|entity|entities|' +
  'match|matches'
const numberOf = '(?:(?:n|nb|nr|num|number)(?:of)?|noof)'
const counts = 'total|count|found|matched|hits|available'
const beside =
  'n|nb|nr|num|number|noof|of|in|all|full|grand|estimated|approximate|approx|matching|filtered|returned|display|size'

const wordsOfItems = new RegExp(`^(?:${counts}|${things}|${beside})+$`)
const isOfItems = new RegExp(
  `total|count|found|matched|^hits$|.hits|.available|available.|.filtered$|^${numberOf}(?:${things}|returned)`,
)

const total = 'total|max|last|final|count|available'
const pages = new RegExp(
  `^(?:pages|${numberOf}pages?|(?:${total})(?:${numberOf}|count)?(?:of)?pages?(?:count|number)?|pages?(?:${total}))$`,
)

export const namesItems = (name: string): boolean => wordsOfItems.test(name) && isOfItems.test(name)
export const namesPages = (name: string): boolean => pages.test(name)

/** How many items or pages there are, according to a member near the list. */
export function countIn({ name, value, beside }: Member): Count | undefined {
  const kind = namesItems(name) ? 'items' : namesPages(name) ? 'pages' : kindBeside(name, beside)
  const atLeast = kind && numberIn(value)
  if (kind && atLeast !== undefined) return { kind, atLeast }
  return typeof value === 'string' ? inWords(name, value) : undefined
}

/** What `{page: 1, of: 3}`, `{from: 1, to: 5, of: 12}` and `{current: 1, last: 3}` count. */
function kindBeside(name: string, beside: readonly string[]): Count['kind'] | undefined {
  const has = (names: RegExp): boolean => beside.some((each) => names.test(each))
  const isRange = has(/^(from|to|first|start|offset|skip)$/)
  if (name === 'of' && isRange) return 'items'
  if (name === 'of') return has(/^(current)?page(number)?$|^(number|current)$/) ? 'pages' : undefined
  if (name === 'last' && !isRange && has(/^page(number)?$/)) return 'pages'
  return /^(last|max)$/.test(name) && has(/^current(page)?$/) ? 'pages' : undefined
}

const many = '(?:(?:about|approximately|over|more than) )?(\\d[\\d,]*)'
const range = `(?:\\d[\\d,]*\\s*(?:to|-|–)\\s*)?\\d[\\d,]*\\s+(?:out )?of ${many}`
const ofPages = /\b(?:page|part|chunk)\s+\d+ of (\d+)\b/i
const ofMany = [
  new RegExp(`^\\W*${range}(?: (?:${things}|places|in total|total))?\\W*$`, 'i'),
  new RegExp(`^\\W*(?:showing|displaying|viewing|listing|returned|returning)(?: \\w+)? ${range}(?: \\w+)?\\W*$`, 'i'),
]

/** "Showing 1 to 5 of 12 entries", "5 of 12", "page 1 of 3". */
function inWords(name: string, text: string): Count | undefined {
  if (text.length > 100) return undefined
  const inPages = ofPages.exec(/^page/.test(name) ? `page ${text}` : text)?.[1]
  if (inPages !== undefined) return { kind: 'pages', atLeast: Number(inPages) }
  const inItems = ofMany.map((each) => each.exec(text)?.[1]).find((each) => each !== undefined)
  return inItems === undefined ? undefined : { kind: 'items', atLeast: Number(inItems.replaceAll(',', '')) }
}

/** The least number that a value stands for: 250, "1,250", {value: 250}, ">100". */
export function numberIn(value: unknown): number | undefined {
  if (isTree(value)) return wholeOf(value['value'] ?? value['count'])
  const text = String(value).replace(/(?<=\d),(?=\d{3}(\D|$))/g, '')
  const [, above, digits] = /^\s*(>=?)?\s*(\d+\+?)\s*$/.exec(text) ?? []
  if (digits === undefined || typeof value === 'boolean') return undefined
  return Number.parseInt(digits, 10) + (above === '>' || digits.endsWith('+') ? 1 : 0)
}
