/** Links in an answer, and where they lead: the one place that reads their relations. */
import { isTree, type Tree } from '../../tasks/json/tree.js'

export interface Link {
  /** In the form of `relationsOf`. */
  readonly relations: readonly string[]
  readonly href: string
  /** Its media type, '' if it names none. */
  readonly type: string
  /** The method of its request, GET by default. */
  readonly method: string
}

/** Keys in the form of `plain`; the first one that is there counts. */
const relationKeys = ['rel', 'rels', 'relation', 'relations']
const looseKeys = [...relationKeys, 'name', 'ref', 'key', 'label', 'type']
const hrefKeys = ['href', 'url', 'uri', 'link', 'target', 'value']

/**
 * The links in a list of links: `{rel, href}` (OGC API, STAC), `{rel: [next], href}` (Siren), `{relation, url}`
 * (FHIR), `{@rel, @href}`, `{next: url}`; or a link alone.
 */
export const linksIn = (value: unknown): Link[] =>
  Array.isArray(value)
    ? value.flatMap((entry: unknown) => linkOf(entry) ?? keyedBy(entry))
    : [linkOf(value) ?? []].flat()

function linkOf(entry: unknown): Link | undefined {
  if (!isTree(entry)) return undefined
  const tree = attributesOf(entry)
  const relation = firstOf(tree, looseKeys)
  const href = nextOf(hrefOf(entry))
  if (relation === undefined || href === undefined) return undefined
  const { type, method } = tree
  return {
    relations: relationsOf(relation),
    href,
    type: typeof type === 'string' ? type : '',
    method: typeof method === 'string' ? method : 'GET',
  }
}

/** `{next: url}`: its one key is the relation. */
function keyedBy(entry: unknown): Link[] {
  const [[key, value] = ['', undefined], ...others] = isTree(entry) ? Object.entries(entry) : []
  const relations = relationsOf(key)
  const href = others.length === 0 && leadsToNext({ relations }) ? nextOf(value) : undefined
  return href === undefined ? [] : [{ relations, href, type: '', method: 'GET' }]
}

/** Whether a list holds links, not places with a name and a URL. */
export const areLinks = (list: readonly unknown[]): boolean =>
  list.every((entry) => {
    const tree = isTree(entry) ? attributesOf(entry) : {}
    return firstOf(tree, relationKeys) !== undefined && ('href' in tree || 'url' in tree)
  })

/**
 * A link's relations, in lower case, letters and digits only: of `["next"]`, `Next`, `last next` and, by its last
 * part, of a URI or `hydra:next`.
 */
export const relationsOf = (relation: unknown): string[] =>
  [relation]
    .flat()
    .flatMap((each) => (typeof each === 'string' ? each.split(/\s+/) : []))
    .map((each) => plain(withoutNamespace(each)))
    .filter((each) => each !== '')

/** A name without its namespace: `hydra:next`, `http://www.iana.org/assignments/relation/next`. */
export const withoutNamespace = (name: string): string => name.replace(/^(https?:.*[/#]|.*:)(?=.)/i, '')

export const leadsToNext = ({ relations }: Pick<Link, 'relations'>): boolean =>
  relations.some((relation) => /^next(page|link|url)?$/.test(relation))

const plain = (key: string): string => key.toLowerCase().replace(/[^a-z0-9]/g, '')

/** The members of an object by their plain names; those that were attributes in XML (`@rel`, `$: {rel}`), too. */
function attributesOf({ $: attributes, ...own }: Tree): Tree {
  const all = [...Object.entries(own), ...Object.entries(isTree(attributes) ? attributes : {})]
  return Object.fromEntries(all.map(([key, value]) => [plain(key), value]))
}

function firstOf(tree: Tree, keys: readonly string[]): unknown {
  const key = keys.find((each) => tree[each] !== undefined && tree[each] !== null)
  return key === undefined ? undefined : tree[key]
}

/** The target of a link; JSON-LD has it in `@id`. */
const hrefOf = (tree: Tree): unknown => firstOf(attributesOf(tree), hrefKeys) ?? tree['@id']

/**
 * A cursor or a link: a plain value, `{href}`, `{url}`, or the only entry of a list. Undefined for null, '', 0 and
 * whatever else means that there is none.
 */
export function nextOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 1 ? nextOf(value[0]) : undefined
  const given = isTree(value) ? hrefOf(value) : value
  if (typeof given !== 'number' && typeof given !== 'bigint' && typeof given !== 'string') return undefined
  return /^\s*(|0|-1|#|null|none|nil|undefined|false)\s*$/i.test(String(given)) ? undefined : String(given)
}
