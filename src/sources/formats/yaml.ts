/** YAML: one sequence of mappings, an object that holds one, or a document for each record. Read as a whole. */
import type { Document } from 'yaml'
import { type Location, Malformed } from '../../plugin.js'
import type { Fields } from '../fields/options.js'
import { type Held, noList, onlyOne } from './json-lists.js'
import { locationMaker } from './location.js'
import { damaged, misread, type Records, type TextList } from './records.js'

/** Characters of a YAML list: its document takes about 80 times as much memory. */
const maxYaml = 8 * 1024 * 1024
const yamlHint = 'A YAML list is one sequence of mappings.'

interface Options {
  readonly fields?: Fields
  readonly items?: string | undefined
  readonly encoding?: string | undefined
}

export async function* readYaml(list: TextList, given: Options): AsyncGenerator<Records> {
  const yaml = (await import('yaml')).default
  const locationOf = locationMaker(given, list.format)
  const lineCounter = new yaml.LineCounter()
  const documents = yaml.parseAllDocuments(await whole(list), { lineCounter })
  const records: (Location | Malformed)[] = []
  const lines: (number | undefined)[] = []
  for (const document of documents) {
    const [error] = document.errors
    if (error) throw damaged(list.name, `isn't valid YAML: ${error.message.split('\n', 1)[0]}`, yamlHint, error)
    for (const item of itemsOf(document, { ...given, name: list.name, isOne: documents.length === 1 }, yaml)) {
      const value: unknown = yaml.isNode(item) ? item.toJS(document) : item
      const isText = !JSON.stringify(value)?.includes('\ufffd')
      records.push(isText ? locationOf(value) : new Malformed(JSON.stringify(value), misread('record', given)))
      lines.push(yaml.isNode(item) && item.range ? lineCounter.linePos(item.range[0]).line : undefined)
    }
  }
  yield { records, position: (index) => `[${index}], line ${lines[index] ?? '?'}` }
}

async function whole({ name, text }: TextList): Promise<string> {
  let all = ''
  for await (const chunk of text()) {
    all += chunk
    if (all.length > maxYaml)
      throw damaged(
        name,
        `has more than ${maxYaml} characters, the most for YAML`,
        'YAML is read as a whole: keep a long list as CSV or NDJSON.',
      )
  }
  return all
}

/** The nodes of a document's records. */
function itemsOf(
  document: Document.Parsed,
  { items, name, isOne }: { items?: string | undefined; name: string; isOne: boolean },
  { isMap, isSeq }: typeof import('yaml'),
): readonly unknown[] {
  const { contents } = document
  if (contents === null) return []
  if (isSeq(contents)) return contents.items
  if (!isMap(contents)) throw damaged(name, "isn't a sequence", yamlHint)
  const found = new Map<string, Held>()
  for (const { key, value } of contents.items)
    if (isSeq(value)) {
      const others = value.items.length === 0 ? 'nothing' : 'something else'
      found.set(String(key), value.items.some(isMap) ? 'objects' : others)
    }
  const path = items ?? (isOne ? onlyOne(found, name) : undefined)
  if (path === undefined) return [contents]
  const list = document.getIn(path.split('.'))
  if (!isSeq(list)) throw noList(path, found, name)
  return list.items
}
