/** JSON that is read as a whole: a single place, or a list in columns. */
import { toError } from '../../../errors/index.js'
import { Malformed } from '../../../plugin.js'
import { parseJson } from '../../../tasks/json/parse.js'
import { isTree } from '../../../tasks/json/tree.js'
import type { Mapping } from '../../fields/mapping.js'
import { refusalIn } from '../../signs/refusal.js'
import { entriesIn, hintTo } from '../layout.js'
import { mustBeWhole, type RecordReader } from '../record.js'
import { damaged, type Records, type TextList } from '../records.js'
import type { JsonOptions } from './index.js'
import { jsonHint, type Outline } from './outline.js'

/** The longest list in columns, in characters. */
const maxColumns = 64 * 1024 * 1024

/** The error for an object without a list, with the option that would read it, if any. */
export function noRecords(document: unknown, { arrays }: Outline, list: string, mapping: Mapping): Error {
  const refusal = refusalIn(document)
  if (refusal) return damaged(list, `holds no array of objects, but an error: ${refusal.said}`, 'Fetch it again.')
  const rows = [...arrays].flatMap(([path, held]) => (held === 'arrays' ? [path] : []))
  const otherwise = rows.length > 0 ? `Set source.layout to rows, and source.items to ${rows.join(' or ')}.` : jsonHint
  return damaged(list, "isn't an array, and holds no array of objects", hintTo(document, mapping, otherwise))
}

/** The records of a list in columns, at `items` or as a whole. */
export async function inColumns(list: TextList, given: JsonOptions, reader: RecordReader): Promise<Records> {
  const { items } = given
  const document = await whole(list, maxColumns)
  const inside = items === undefined ? document : valueAt(document, items.split('.'))
  const entries = entriesIn(inside, 'columns')
  if (!entries)
    throw damaged(
      list.name,
      `has no object of columns${items ? ` at ${items}` : ''}`,
      'Correct source.layout or source.items.',
    )
  if (items !== undefined) mustBeWhole(document, entries.length, { list: list.name, path: items }, given)
  const records = entries.map((entry) => reader.read(entry) ?? new Malformed('', 'the record has no value'))
  return { records, position: (index) => `record ${index + 1}` }
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isTree(inner) ? inner[key] : undefined), value)

/** A document of so many characters at most. */
export async function whole(list: TextList, most: number): Promise<unknown> {
  let all = ''
  for await (const chunk of list.text()) {
    all += chunk
    if (all.length > most)
      throw damaged(list.name, `has more than ${most} characters, the most for a list like this`, jsonHint)
  }
  try {
    return parseJson(all)
  } catch (error) {
    throw damaged(list.name, `isn't valid JSON: ${toError(error).message}`, jsonHint, error)
  }
}
