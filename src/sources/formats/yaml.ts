/** YAML: a list of records, an object that holds one, or one document per record. Read as a whole. */
import type { Document, Node, Scalar, YAMLMap } from 'yaml'
import { toError } from '../../errors/index.js'
import { Malformed } from '../../plugin.js'
import { exactJson } from '../../tasks/json/exact.js'
import { isTree } from '../../tasks/json/tree.js'
import type { Mapping } from '../fields/mapping.js'
import type { JsonOptions } from './json/index.js'
import { noList, theOne } from './json/outline.js'
import { entriesIn, type Fail, hintTo, mustBeEmpty, outermostIn } from './layout.js'
import { checkProjection, mustBeWhole, RecordReader } from './record.js'
import { damaged, misread, Placed, type Records, type TextList, titleOf } from './records.js'
import { exactScalars } from './scalars.js'
import { dialectOf } from './signature.js'
import { refuse } from './text.js'
import { asWritten } from './written.js'

/** The longest YAML list, in characters: its document takes about 80 times as much memory. */
const maxYaml = 8 * 1024 * 1024
const yamlHint = 'A YAML list is one sequence of mappings.'

type Yaml = typeof import('yaml')

interface Item {
  readonly value: unknown
  readonly key: string | undefined
  readonly line: number | undefined
  /** See `asWritten`: its odd numbers, and its value with those as text. */
  readonly odd: readonly string[]
  texts(): unknown
}

const nothingOdd = { odd: [], texts: () => undefined }

export async function* readYaml(list: TextList, given: JsonOptions, mapping: Mapping): AsyncGenerator<Records> {
  const yaml = (await import('yaml')).default
  const reader = new RecordReader(given, mapping, { title: titleOf(list.name), isGeoJson: false })
  const lineCounter = new yaml.LineCounter()
  const options = { lineCounter, merge: true, uniqueKeys: areSameKeys, logLevel: 'error' } as const
  const text = await whole(list)
  const documents = yaml.parseAllDocuments(text, options)
  if (documents.some(({ errors }) => errors.length > 0)) refuse(dialectOf(text), list.name)
  const placed = new Placed<string>()
  let number = 0
  const lineOf = (node: Node): number | undefined =>
    node.range?.[0] === undefined ? undefined : lineCounter.linePos(node.range[0]).line
  for (const document of documents) {
    check(document, list.name)
    exactScalars(document, yaml)
    const about = { list, given, mapping, isOne: documents.length === 1 }
    for (const { value, key, line, odd, texts } of itemsOf(document, about, yaml, lineOf)) {
      const place = `[${key === undefined ? number : JSON.stringify(key)}], line ${line ?? '?'}`
      number++
      const text = exactJson(value) ?? ''
      const record = text.includes('\ufffd')
        ? new Malformed(text, misread('record', given))
        : asWritten(reader.read({ value, key }), odd, () => reader.read({ value: texts(), key }))
      placed.add(record, place)
    }
  }
  yield { records: placed.records, position: (index) => placed.placeOf(index) ?? '' }
}

/** For a whole document, as for a configuration: more aliases are an attack on the memory. */
const maxAliases = { maxAliasCount: 100_000 }
/** For converting parts of a checked document: the target of each alias is looked up once. */
const contextOf = (doc: Document.Parsed) => ({
  anchors: new Map(),
  doc,
  keep: true,
  mapAsMap: false,
  mapKeyWarned: false,
  maxAliasCount: -1,
})

/** Throws if it isn't valid YAML. */
function check(document: Document.Parsed, name: string): void {
  const [error] = document.errors
  try {
    if (error) throw error
    // Also fails if a part contains itself.
    JSON.stringify(document.toJS(maxAliases))
  } catch (thrown) {
    const { message } = toError(thrown)
    const [line = ''] = message.split('\n', 1)
    const why = /^Maximum call stack|circular/.test(line)
      ? 'it is nested too deeply, or a part of it holds itself'
      : line.replace(/^Excessive alias count.*/, 'its aliases repeat more than memory may hold').replace(/:$/, '')
    throw damaged(name, `isn't valid YAML: ${why}`, yamlHint, thrown)
  }
}

/** Numbers that JavaScript would write differently: 1.50, 0x1F, 1e3. */
function oddIn(node: Node, context: ReturnType<typeof contextOf>, { visit }: Yaml): Pick<Item, 'odd' | 'texts'> {
  const odd: { scalar: Scalar; number: unknown; source: string }[] = []
  const seen = new Set<unknown>()
  const collect = (part: Node): void => {
    if (seen.has(part)) return
    seen.add(part)
    visit(part, {
      Scalar(_, scalar) {
        const { source, value: number } = scalar
        if (typeof number === 'number' && source !== undefined && source !== String(number))
          odd.push({ scalar, number, source })
      },
      Alias(_, alias) {
        const target = alias.resolve(context.doc, context)
        if (target) collect(target)
      },
    })
  }
  collect(node)
  return {
    odd: odd.map(({ source }) => source),
    texts() {
      for (const { scalar, source } of odd) scalar.value = source
      const value: unknown = node.toJS(context.doc, { maxAliasCount: -1 })
      for (const { scalar, number } of odd) scalar.value = number
      return value
    },
  }
}

/** Whether two keys are equal: 0012 and 12 aren't, though both are the number 12. */
const areSameKeys = (a: unknown, b: unknown): boolean => keyOf(a) === keyOf(b)

function keyOf(node: unknown): unknown {
  const { source, value }: { source?: unknown; value?: unknown } = Object(node)
  return source ?? value ?? node
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

interface About {
  readonly list: TextList
  readonly given: JsonOptions
  readonly mapping: Mapping
  /** Whether this is the only document. */
  readonly isOne: boolean
}

/** A document's records. */
function itemsOf(
  document: Document.Parsed,
  about: About,
  yaml: Yaml,
  lineOf: (node: Node) => number | undefined,
): readonly Item[] {
  const {
    given,
    list: { name },
  } = about
  const { items, layout } = given
  const { contents } = document
  if (contents === null) return []
  const context = contextOf(document)
  const jsOf = (node: unknown): unknown => (yaml.isNode(node) ? node.toJSON('', context) : node)
  const itemOf = (node: unknown, key?: string): Item => ({
    value: jsOf(node),
    key,
    line: yaml.isNode(node) ? lineOf(node) : undefined,
    ...(yaml.isNode(node) ? oddIn(node, context, yaml) : nothingOdd),
  })
  const found: unknown =
    items === undefined || !yaml.isMap(contents) ? contents : document.getIn(items.split('.'), true)
  if (yaml.isMap(contents)) checkProjection(jsOf(contents), titleOf(name))
  if (layout === 'keyed' && yaml.isMap(found))
    return found.items.map(({ key, value }) => itemOf(value, String(jsOf(key))))
  if (layout === 'columns')
    return (entriesIn(jsOf(found), 'columns') ?? wrongLayout(name)).map((entry) => ({
      ...entry,
      line: undefined,
      ...nothingOdd,
    }))
  if (yaml.isSeq(found)) {
    if (found !== contents) mustBeWhole(jsOf(contents), found.items.length, { list: name, path: items }, given)
    return found.items.map((node) => itemOf(node))
  }
  if (items !== undefined && !yaml.isSeq(found) && yaml.isMap(contents))
    throw noList(
      items,
      contents.items.map(({ key }) => String(key)),
      name,
    )
  if (!yaml.isMap(contents)) throw damaged(name, "isn't a sequence", yamlHint)
  return inMap(contents, jsOf(contents), about, yaml, itemOf)
}

function wrongLayout(name: string): never {
  throw damaged(name, 'has no object of columns', 'Correct source.layout or source.items.')
}

/** The records of a mapping: those of the one list in it, or the mapping itself. */
function inMap(
  contents: YAMLMap,
  value: unknown,
  { list, given, mapping, isOne }: About,
  yaml: Yaml,
  itemOf: (node: unknown, key?: string) => Item,
): readonly Item[] {
  const whole: Item = { ...itemOf(contents), line: undefined }
  if (!isOne || !isTree(value)) return [whole]
  const layout = given.layout === 'rows' ? 'rows' : 'records'
  const path = theOne(
    outermostIn(value, layout, mapping).map(({ at }) => at),
    list.name,
  )
  if (path === undefined && mapping.seemsPlace(value)) return [whole]
  const node = path === undefined ? undefined : nodeAt(contents, path, yaml)
  if (path !== undefined && yaml.isSeq(node)) {
    const fail: Fail = (what, hint) => damaged(list.name, what, hint)
    if (node.items.length === 0) mustBeEmpty(value, path, mapping, fail)
    mustBeWhole(value, node.items.length, { list: list.name, path }, given)
    return node.items.map((item) => itemOf(item))
  }
  throw damaged(list.name, "isn't a sequence, and holds no sequence of mappings", hintTo(value, mapping, yamlHint))
}

/** The node at `a.b`; a key that has the dot in itself wins, as in `memberAt`. */
function nodeAt(node: unknown, path: string, yaml: Yaml): unknown {
  if (!yaml.isMap(node)) return undefined
  const at = (name: string): unknown => node.items.find(({ key }) => String(key) === name)?.value
  const dot = path.indexOf('.')
  return at(path) ?? (dot < 0 ? undefined : nodeAt(at(path.slice(0, dot)), path.slice(dot + 1), yaml))
}
