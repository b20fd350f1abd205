/** Looking around in an answer's JSON. */

export type Tree = Readonly<Record<string, unknown>>

export interface Found {
  /** Its path. */
  readonly at: string
  readonly value: unknown
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The entries that fit among an answer's own, else among those one level below. */
export function find(answer: unknown, fits: (value: unknown) => boolean, names = /^/): Found[] {
  if (!isTree(answer)) return []
  const entriesOf = (tree: Tree, prefix: string): Found[] =>
    Object.entries(tree).flatMap(([key, value]) =>
      names.test(key) && fits(value) ? [{ at: `${prefix}${key}`, value }] : [],
    )
  const here = entriesOf(answer, '')
  return here.length > 0
    ? here
    : Object.entries(answer).flatMap(([key, inner]) => (isTree(inner) ? entriesOf(inner, `${key}.`) : []))
}

/** The value at `a.b.0`; a key that has the dot in itself wins. */
export function valueAt(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const tree: Tree = { ...value }
  if (Object.hasOwn(tree, path)) return tree[path]
  const dot = path.indexOf('.')
  return dot < 0 ? undefined : valueAt(tree[path.slice(0, dot)], path.slice(dot + 1))
}

/** A count, which some servers write as text. */
export function wholeOf(value: unknown): number | undefined {
  if (typeof value === 'string' && !/^\d+$/.test(value)) return undefined
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/** A cursor or a link, as it is or as {href}; undefined for null, '' and whatever else says that there is none. */
export function nextOf(value: unknown): string | undefined {
  const given = isTree(value) ? value['href'] : value
  return (typeof given === 'string' && given !== '') || typeof given === 'number' ? String(given) : undefined
}

/** The start of what a server said, on one line; nothing of a web page. */
export function excerpt(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  if (line.startsWith('<')) return ''
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}

export const shapeOf = (answer: unknown): string =>
  isTree(answer)
    ? `its keys are ${excerpt(Object.keys(answer).join(', ')) || 'none'}`
    : `it is ${Array.isArray(answer) ? 'a list' : 'no object'}`
