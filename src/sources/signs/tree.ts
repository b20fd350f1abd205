/** Lookups in an answer's JSON. */
import { isObject, isTree, type Tree } from '../../tasks/json/tree.js'
import { clipped } from '../../words.js'
import { linksIn, relationsOf } from './links.js'

export interface Found {
  /** Its path. */
  readonly at: string
  readonly value: unknown
}

/** The entries that fit: those of the outermost level that has any. */
export function find(answer: unknown, fits: (value: unknown, key: string) => boolean, levels = 2): Found[] {
  let level: { tree: Tree; prefix: string }[] = isTree(answer) ? [{ tree: answer, prefix: '' }] : []
  for (let depth = 0; depth < levels; depth++) {
    const entries = level.flatMap(({ tree, prefix }) =>
      Object.entries(tree).map(([key, value]) => ({ key, at: `${prefix}${key}`, value })),
    )
    const found = entries.filter(({ key, value }) => fits(value, key))
    if (found.length > 0) return found
    level = entries.flatMap(({ at, value }) => (isTree(value) ? [{ tree: value, prefix: `${at}.` }] : []))
  }
  return []
}

/**
 * The value at `a.b.0`; a key that has the dot in itself wins. In a list of links, `links.next` is the one with that
 * relation.
 */
export function memberAt(value: unknown, path: string): unknown {
  if (!isObject(value)) return undefined
  const tree: Tree = { ...value }
  if (Object.hasOwn(tree, path)) return tree[path]
  const wanted = relationsOf(path)
  const related = linksIn(value).find(({ relations }) => relations.some((each) => wanted.includes(each)))
  if (related) return related.href
  const dot = path.indexOf('.')
  return dot < 0 ? undefined : memberAt(tree[path.slice(0, dot)], path.slice(dot + 1))
}

/** A whole number; some servers write it as text. */
export function wholeOf(value: unknown): number | undefined {
  if (typeof value === 'string' && !/^\d+$/.test(value)) return undefined
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

// Flags; some servers write them as text.
export const isYes = (value: unknown): boolean =>
  value === true || value === 1 || /^(true|t|yes|y|1)$/i.test(String(value))
export const isNo = (value: unknown): boolean => value === false || /^(false|f|no|n)$/i.test(String(value))

/** The start of what a server said, on one line; '' for a web page. */
export function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  if (line.startsWith('<')) return ''
  return clipped(line, 200)
}

export const shapeOf = (answer: unknown): string =>
  isTree(answer)
    ? `its keys are ${oneLine(Object.keys(answer).join(', ')) || 'missing'}`
    : `it is ${Array.isArray(answer) ? 'a list' : 'no object'}`
