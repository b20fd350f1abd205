/**
 * What an answer counts: the items of its list, or its pages. Servers have many names for that, so any name counts
 * that consists only of words for counting and for what is counted.
 */
import { isTree } from '../../tasks/json/tree.js'
import { type Exactness, exactnessOf, vaguest } from './exactness.js'
import { isOfCounts, type Member } from './members.js'
import { wholeOf } from './tree.js'

interface Count {
  readonly kind: 'items' | 'pages'
  readonly atLeast: number
  readonly exactness: Exactness
}

// Names are in lower case, with letters and digits only; `items` stands for the list's own name.
export const things =
  'items?|results?|elements?|records?|rows?|hits?|features?|documents?|docs?|objects?|entry|entries|entity|entities|' +
  'match|matches'
const isThing = new RegExp(`^(?:${things})$`)
const numberOf = '(?:(?:n|nb|nr|num|number)(?:of)?|noof)'
const counts = 'total|count|found|matched|hits|available'
const beside =
  'n|nb|nr|num|number|noof|of|in|all|full|grand|estimated|approximate|approx|matching|filter(?:ed)?|returned|display|' +
  'size|' +
  'lower|bound|atleast'

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
export function countIn(member: Member): Count | undefined {
  const { at, name, value, beside } = member
  const full = isOfCounts(at) && isThing.test(name) ? `total${name}` : name
  const kind = namesItems(full) ? 'items' : namesPages(full) ? 'pages' : kindBeside(name, Object.keys(beside))
  const number = kind && readNumber(value)
  if (kind && number) return counted(kind, number, exactnessOf(member))
  return typeof value === 'string' ? inWords(name, value) : undefined
}

/** A server that counts no further knows of one more: else it would have counted all. */
function counted(kind: Count['kind'], { number, exactness: own }: Counted, beside: Exactness = 'exact'): Count {
  const exactness = vaguest([own, beside])
  return { kind, exactness, atLeast: exactness === 'at least' ? number + 1 : number }
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

const least = '>=?|≥|over|more than|at least'
const about = '~|≈|about|approximately|approx\\.?|around|circa|ca\\.?'
const many = `((?:(?:${about}|${least}) ?)?\\d[\\d,]*(?:\\+| or more)?)`
const range = `(?:\\d[\\d,]*\\s*(?:to|-|–)\\s*)?\\d[\\d,]*\\s+(?:out )?of ${many}`
const ofPages = /\b(?:page|part|chunk)\s+\d+(?: of | ?\/ ?)(\d+\+?)(?!\w)/i
const ofMany = [
  new RegExp(`^\\W*${range}(?: (?:${things}|places|in total|total))?\\W*$`, 'i'),
  new RegExp(`^\\W*(?:showing|displaying|viewing|listing|returned|returning)(?: \\w+)? ${range}(?: \\w+)?\\W*$`, 'i'),
]

/** "Showing 1 to 5 of 12 entries", "5 of 12", "page 1 of 3". */
function inWords(name: string, text: string): Count | undefined {
  if (text.length > 100) return undefined
  const inPages = ofPages.exec(/^page/.test(name) ? `page ${text}` : text)?.[1]
  const inItems = ofMany.map((each) => each.exec(text)?.[1]).find((each) => each !== undefined)
  const number = readNumber(inPages ?? inItems)
  return number && counted(inPages === undefined ? 'items' : 'pages', number)
}

interface Counted {
  readonly number: number
  readonly exactness: Exactness
}

const countText = new RegExp(`^(?:(${least})|(${about}))? ?(\\d+)(\\+| or more)?$`, 'i')

/** 250, "1,250", {value: 250}, [{count: 250}], ">100", "100+", "about 100". */
function readNumber(value: unknown): Counted | undefined {
  if (isTree(value)) {
    const number = wholeOf(['value', 'count', '_all', 'lowerBound', 'atLeast'].map((key) => value[key]).find(isThere))
    return number === undefined ? undefined : { number, exactness: 'exact' }
  }
  if (Array.isArray(value)) {
    const [only, ...others]: unknown[] = value
    return isTree(only) && Object.keys(only).length === 1 && others.length === 0 ? readNumber(only) : undefined
  }
  const text = String(value).replace(/(?<=\d),(?=\d{3}(\D|$))/g, '')
  const [, above, near, digits, more] = countText.exec(text.trim().replace(/\s+/g, ' ')) ?? []
  if (digits === undefined || typeof value === 'boolean') return undefined
  const exactness = above !== undefined || more !== undefined ? 'at least' : near !== undefined ? 'estimated' : 'exact'
  return { number: Number(digits), exactness }
}

const isThere = (value: unknown): boolean => value !== undefined && value !== null

/** The least number that a value stands for. */
export function numberIn(value: unknown): number | undefined {
  const number = readNumber(value)
  return number && counted('items', number).atLeast
}
