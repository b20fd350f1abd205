/** Where in a JSON or YAML object its list is. */
import type { ConfigurationError } from '../../errors/index.js'
import { nearest } from '../../errors/suggest.js'
import { damaged, type TextList } from './records.js'

export const jsonHint =
  'A JSON list is one array of objects, or an object that holds one; ' +
  'for one object a line, set source.format to ndjson.'

/** What an array holds. */
export type Held = 'nothing' | 'objects' | 'something else'

/** The arrays in a JSON object by their paths; those inside of arrays are left out. */
export async function listsIn(list: TextList): Promise<Map<string, Held>> {
  if (!list.again)
    throw damaged(
      list.name,
      'is an object, and only in a file can owm search an object for its list',
      'Set source.items to the name of the list in it.',
    )
  const { Tokenizer, TokenType } = await import('@streamparser/json')
  const found = new Map<string, Held>()
  /** One for each open bracket; no path where source.items couldn't name it. */
  const open: { isArray: boolean; path: string | undefined }[] = []
  let key = ''
  const tokenizer = new Tokenizer()
  tokenizer.onToken = ({ token, value }) => {
    const top = open.at(-1)
    const isArray = token === TokenType.LEFT_BRACKET
    if (token === TokenType.RIGHT_BRACE || token === TokenType.RIGHT_BRACKET) open.pop()
    else if (top?.isArray) {
      if (top.path !== undefined && token !== TokenType.COMMA && found.get(top.path) !== 'objects')
        found.set(top.path, token === TokenType.LEFT_BRACE ? 'objects' : 'something else')
    } else if (token === TokenType.STRING) key = String(value)
    if (!isArray && token !== TokenType.LEFT_BRACE) return
    const path = pathOf(key, top)
    if (isArray && path !== undefined) found.set(path, 'nothing')
    open.push({ isArray, path })
  }
  try {
    for await (const chunk of list.text()) tokenizer.write(chunk)
  } catch (error) {
    throw error instanceof Error && error.name === 'TokenizerError'
      ? damaged(list.name, `isn't valid JSON: ${error.message}`, jsonHint, error)
      : error
  }
  return found
}

/** The path of what stands under a key of `parent`; the outermost has the path ''. */
function pathOf(key: string, parent: { isArray: boolean; path: string | undefined } | undefined): string | undefined {
  if (parent === undefined) return ''
  if (parent.isArray || parent.path === undefined || /^$|[.*]/.test(key)) return undefined
  return parent.path === '' ? key : `${parent.path}.${key}`
}

/** The path of the one list that an object holds. */
export function onlyOne(found: ReadonlyMap<string, Held>, list: string): string {
  const [ofObjects, empty] = (['objects', 'nothing'] as const).map((wanted) =>
    [...found].filter(([, held]) => held === wanted).map(([path]) => path),
  )
  const [one, ...others] = ofObjects?.length ? ofObjects : (empty ?? [])
  if (one === undefined) throw damaged(list, "isn't an array, and holds no array of objects", jsonHint)
  if (others.length > 0)
    throw damaged(list, `holds more than one list: ${[one, ...others].join(', ')}`, 'Set source.items to one of them.')
  return one
}

export function noList(items: string, found: ReadonlyMap<string, Held>, list: string): ConfigurationError {
  const near = nearest(items, [...found.keys()])
  return damaged(
    list,
    `has no list "${items}"`,
    near
      ? `Did you mean source.items: ${near}?`
      : `Set source.items to one of those it has: ${[...found.keys()].join(', ') || 'none'}.`,
  )
}
