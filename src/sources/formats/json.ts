/** JSON and GeoJSON: one array of records, or an object that holds one. */
import { toError } from '../../errors/index.js'
import { type Location, Malformed } from '../../plugin.js'
import type { Fields } from '../fields/options.js'
import { type Held, jsonHint, listsIn, noList, onlyOne } from './json-lists.js'
import { locationMaker } from './location.js'
import { damaged, misread, type Records, type TextList } from './records.js'
import { joined, merged } from './text.js'

interface Options {
  readonly fields?: Fields
  readonly items?: string | undefined
  readonly encoding?: string | undefined
}

export async function* readJson(list: TextList, given: Options): AsyncGenerator<Records> {
  let elements: Elements | undefined
  let items: string | undefined
  let total = 0
  for await (const chunk of merged(list.text(), joined, (head) => head.trim() !== '')) {
    if (!elements) {
      items = await itemsOf(list, given, chunk)
      elements = await elementsOf(list, given, items)
    }
    const { records, lines } = elements.feed(chunk)
    const first = total
    total += records.length
    yield { records, position: (index) => `${items ?? ''}[${first + index}], line ${lines[index]}` }
  }
  if (!elements?.isEnded()) throw damaged(list.name, 'ends before its array does', jsonHint)
  if (items !== undefined && total === 0) {
    const found = list.again ? await listsIn(list) : new Map<string, Held>()
    if (!found.has(items)) throw noList(items, found, list.name)
  }
}

/** The path of the array of records; undefined where the document is that array. */
async function itemsOf(list: TextList, given: Options, start: string): Promise<string | undefined> {
  const first = start.trimStart()[0]
  if (first !== '[' && first !== '{') throw damaged(list.name, "isn't an array", jsonHint)
  if (first === '[') return undefined
  return given.items ?? (list.format === 'geojson' ? 'features' : onlyOne(await listsIn(list), list.name))
}

/** The elements of the array of records, as its text comes in. */
interface Elements {
  /** What ends in this chunk, and in which lines it begins. */
  feed(chunk: string): { records: (Location | Malformed)[]; lines: number[] }
  isEnded(): boolean
}

async function elementsOf(list: TextList, given: Options, items: string | undefined): Promise<Elements> {
  const { Tokenizer, TokenParser, TokenType } = await import('@streamparser/json')
  const locationOf = locationMaker(given, list.format)
  const recordDepth = items === undefined ? 1 : items.split('.').length + 1
  const tokenizer = new Tokenizer()
  const parser = new TokenParser({ paths: [items === undefined ? '$.*' : `$.${items}.*`], keepStack: false })
  let [depth, line, begin] = [0, 1, 1]
  let found: { records: (Location | Malformed)[]; lines: number[] } = { records: [], lines: [] }
  let isSuspicious = false
  tokenizer.onToken = (token) => {
    const { token: type } = token
    if (depth === recordDepth) begin = line
    if (type === TokenType.LEFT_BRACE || type === TokenType.LEFT_BRACKET) depth++
    else if (type === TokenType.RIGHT_BRACE || type === TokenType.RIGHT_BRACKET) depth--
    parser.write(token)
  }
  parser.onValue = ({ value, key }) => {
    if (typeof key !== 'number') return // a member of an object that stands where the list should
    const isText = !isSuspicious || !JSON.stringify(value)?.includes('\ufffd')
    found.records.push(isText ? locationOf(value) : new Malformed(JSON.stringify(value), misread('record', given)))
    found.lines.push(begin)
  }
  return {
    feed(chunk) {
      found = { records: [], lines: [] }
      isSuspicious ||= chunk.includes('\ufffd')
      try {
        // A line at a time, to know which one it is.
        const bytes = Buffer.from(chunk)
        for (let from = 0, to = 0; from < bytes.length; from = to) {
          to = bytes.indexOf('\n', from) + 1 || bytes.length
          tokenizer.write(bytes.subarray(from, to))
          if (bytes[to - 1] === 10) line++
        }
      } catch (error) {
        throw damaged(list.name, `isn't valid JSON, line ${line}: ${toError(error).message}`, jsonHint, error)
      }
      return found
    },
    isEnded: () => parser.isEnded,
  }
}
