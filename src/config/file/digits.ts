/** Keeps all digits and zeros of numbers that are compared with a list's values, or are values of a list. */
import type { Document, Scalar } from 'yaml'
import { exactScalar } from '../../tasks/json/exact.js'
import { isTree } from '../../tasks/json/tree.js'

/** How the numbers of a text are read. */
export interface Digits {
  /** The keys that the text stands under in a configuration; empty for all of it. */
  readonly keys: readonly string[]
  readonly withLocations: boolean
}

/** Whether a number is compared as text, belongs to a location, or is just a number. */
type Kind = 'text' | 'location' | 'number'

const bounds = new Set(['gte', 'gt', 'lte', 'lt'])

/** @param keys the path to the number, without the indexes of lists */
function kindOf(keys: readonly string[]): Kind {
  if (keys[0] === 'owm') return kindOf(keys.slice(1)) // in a package.json
  if (keys[0] === 'pipelines') return kindOf(keys.slice(2))
  const path = keys.join('.')
  if (/^source\.(nulls$|ok\.)/.test(path)) return 'text'
  const where = /^(source|cadence\.rules)\.where\./.exec(path)
  if (!where) return keys.includes('locations') ? 'location' : 'number'
  const [field, operator = ''] = keys.slice(where[1] === 'source' ? 2 : 3)
  return field === 'bbox' || bounds.has(operator) ? 'number' : 'text'
}

/** Replaces these numbers in the document. */
export async function keepDigits(document: Document, { keys, withLocations }: Digits): Promise<void> {
  const { isPair, isScalar, isSeq, visit } = (await import('yaml')).default
  visit(document, {
    Scalar(at, node, path) {
      const { source, value } = node
      if (typeof value !== 'number' || source === undefined) return undefined
      const above = path.flatMap((each) => (isPair(each) && isScalar(each.key) ? [String(each.key.value)] : []))
      const kind = kindOf([...keys, ...above])
      const parent = path.at(-1)
      const exact = exactScalar(source, value)
      if (kind === 'location' && withLocations) {
        // A number in place of a name is text: the id 1.10 isn't 1.1.
        const isName = isPair(parent) && /^(id|city|name|state)$/i.test(above.at(-1) ?? '')
        node.value = isName && typeof exact === 'number' && source !== String(exact) ? source : exact
      }
      if (kind !== 'text') return undefined
      if (typeof exact !== 'number' || at === 'key') node.value = String(exact)
      else if (hasTwoForms(node)) {
        // A list may contain it as written or as a number: 1.10 or 1.1.
        const both = [source, exact].map((form) => document.createNode(form))
        if (!isSeq(parent)) return document.createNode(both)
        parent.items.splice(Number(at), 1, ...both)
      }
      return undefined
    },
  })
}

const hasTwoForms = ({ source, value, anchor }: Scalar): boolean =>
  Number.isFinite(value) && source !== String(value) && anchor === undefined

/** The keys of integers that JavaScript may have rounded and whose digits matter: `source.where.id`. */
export function roundedIn(value: unknown, path: readonly string[] = []): string[] {
  if (Array.isArray(value)) return value.flatMap((each, index) => roundedIn(each, [...path, String(index)]))
  if (isTree(value)) return Object.entries(value).flatMap(([key, inner]) => roundedIn(inner, [...path, key]))
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return []
  return kindOf(path.filter((part) => !/^\d+$/.test(part))) === 'number' ? [] : [path.join('.')]
}
