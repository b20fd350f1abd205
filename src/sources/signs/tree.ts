/** Looking around in an answer's JSON. */
import { isTree, type Tree } from '../../tasks/json/tree.js'
import { clipped } from '../../words.js'

export interface Found {
  /** Its path. */
  readonly at: string
  readonly value: unknown
}

/** The entries that fit: those of the outermost level that has any, of two levels or more. */
export function find(answer: unknown, fits: (value: unknown) => boolean, names = /^/, levels = 2): Found[] {
  let level: { tree: Tree; prefix: string }[] = isTree(answer) ? [{ tree: answer, prefix: '' }] : []
  for (let depth = 0; depth < levels; depth++) {
    const entries = level.flatMap(({ tree, prefix }) =>
      Object.entries(tree).map(([key, value]) => ({ key, at: `${prefix}${key}`, value })),
    )
    const found = entries.filter(({ key, value }) => names.test(key) && fits(value))
    if (found.length > 0) return found
    level = entries.flatMap(({ at, value }) => (isTree(value) ? [{ tree: value, prefix: `${at}.` }] : []))
  }
  return []
}

/**
 * The value at `a.b.0`; a key that has the dot in itself wins. In a list of links, `links.next` is the one with that
 * relation.
 */
export function valueAt(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const tree: Tree = { ...value }
  if (Object.hasOwn(tree, path)) return tree[path]
  const related = Array.isArray(value) ? linksIn(value).find(({ relation }) => relation === path) : undefined
  if (related) return related.href
  const dot = path.indexOf('.')
  return dot < 0 ? undefined : valueAt(tree[path.slice(0, dot)], path.slice(dot + 1))
}

export interface Link {
  readonly relation: string
  readonly href: string
  /** Its media type, where it says one. */
  readonly type: string
  /** How it is to be asked for, if not by GET. */
  readonly method: string
}

/** The links in a list of links: `{rel, href}` (OGC API, STAC), or `{relation, url}` (FHIR). */
export const linksIn = (list: unknown): Link[] =>
  Array.isArray(list) ? list.flatMap((entry: unknown) => linkOf(entry) ?? []) : []

function linkOf(entry: unknown): Link | undefined {
  if (!isTree(entry)) return undefined
  const { rel, relation = rel, url, href = url, type, method } = entry
  if (typeof relation !== 'string' || typeof href !== 'string') return undefined
  return {
    relation,
    href,
    type: typeof type === 'string' ? type : '',
    method: typeof method === 'string' ? method : 'GET',
  }
}

/** A count, which some servers write as text. */
export function wholeOf(value: unknown): number | undefined {
  if (typeof value === 'string' && !/^\d+$/.test(value)) return undefined
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/** A cursor or a link, as it is or as {href}; undefined for null, '', 0 and whatever else says that there is none. */
export function nextOf(value: unknown): string | undefined {
  const given = isTree(value) ? value['href'] : value
  if (!['number', 'bigint', 'string'].includes(typeof given)) return undefined
  return /^\s*(|0|-1|null|none|nil|undefined|false)\s*$/i.test(String(given)) ? undefined : String(given)
}

/** The start of what a server said, on one line; nothing of a web page. */
export function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  if (line.startsWith('<')) return ''
  return clipped(line, 200)
}

export const shapeOf = (answer: unknown): string =>
  isTree(answer)
    ? `its keys are ${oneLine(Object.keys(answer).join(', ')) || 'missing'}`
    : `it is ${Array.isArray(answer) ? 'a list' : 'no object'}`
