/** What a JSON object holds, to find the list in it. */
import type { ConfigurationError } from '../../../errors/index.js'
import { nearest } from '../../../errors/suggest.js'
import { isLinks, ownNames } from '../layout.js'
import { damaged, type TextList } from '../records.js'
import { Unstructured, Walker } from './walker.js'

export const jsonHint =
  'A JSON list is one array of objects, or an object that holds one; ' +
  'for one object a line, set source.format to ndjson.'

/** What an array holds. */
type Held = 'nothing' | 'objects' | 'arrays' | 'something else'

export interface Outline {
  /** The arrays by their paths, except those within arrays. */
  readonly arrays: ReadonlyMap<string, Held>
  /** How many members each object has, by its path; '' is the outermost one. */
  readonly objects: ReadonlyMap<string, number>
  /** The texts of the outermost object's members `type`, `crs`, `spatialReference` and `transform`. */
  readonly told: ReadonlyMap<string, string>
}

/** Reads the whole list, which must be one that can be read again. */
export async function outlineOf(list: TextList): Promise<Outline> {
  const outliner = new Outliner()
  try {
    for await (const chunk of list.text()) outliner.feed(chunk)
  } catch (error) {
    throw error instanceof Unstructured ? damaged(list.name, error.message, jsonHint, error) : error
  }
  return outliner
}

class Outliner extends Walker implements Outline {
  readonly arrays = new Map<string, Held>()
  readonly objects = new Map<string, number>()
  /** For each open bracket: its path, if source.items can name it, and how many members it has. */
  readonly #open: { path: string | undefined; members: number }[] = []

  feed(chunk: string): void {
    this.walk(chunk)
    this.drop(this.scanner.text.length)
  }

  protected override opened(isArray: boolean): void {
    const parent = this.#open.at(-1)
    const above = this.stack.at(-2)
    if (above?.isArray) this.#holds(parent?.path, isArray ? 'arrays' : 'objects')
    const path = parent === undefined ? '' : above?.isArray ? undefined : pathOf(parent.path, above?.key ?? '')
    if (isArray && path !== undefined) this.arrays.set(path, 'nothing')
    this.#open.push({ path, members: 0 })
  }

  protected override member(): void {
    const top = this.#open.at(-1)
    if (top) top.members++
  }

  protected override separated(): void {
    if (this.scanner.hasValue && this.stack.at(-1)?.isArray) this.#holds(this.#open.at(-1)?.path, 'something else')
  }

  protected override closing(): void {
    this.separated()
    const isObject = this.stack.at(-1)?.isArray === false
    const { path, members } = this.#open.pop() ?? { path: undefined, members: 0 }
    if (isObject && path !== undefined) this.objects.set(path, members)
  }

  #holds(path: string | undefined, held: Held): void {
    if (path !== undefined && this.arrays.get(path) !== 'objects') this.arrays.set(path, held)
  }
}

/** The path of a key in `parent`; undefined if source.items can't name it. */
function pathOf(parent: string | undefined, key: string): string | undefined {
  if (parent === undefined || /^$|[.*]/.test(key)) return undefined
  return parent === '' ? key : `${parent}.${key}`
}

/** The path of the one list that an object holds; undefined if it holds none. Throws if there are several. */
export function onlyOne(
  found: ReadonlyMap<string, Held>,
  held: 'objects' | 'arrays',
  list: string,
): string | undefined {
  const paths = (wanted: Held): string[] => [...found].flatMap(([path, each]) => (each === wanted ? [path] : []))
  const isOwn = (path: string): boolean => ownNames.test(path.replace(/.*\./, ''))
  const full = paths(held).filter((path) => !isLinks(path))
  const candidates = [full.filter(isOwn), full, paths('nothing').filter(isOwn)]
  return theOne(candidates.find((each) => each.length > 0) ?? [], list)
}

/** The only path; undefined without one. Throws if there are several. */
export function theOne(paths: readonly string[], list: string): string | undefined {
  if (paths.length > 1)
    throw damaged(list, `holds more than one list: ${paths.join(', ')}`, 'Set source.items to one of them.')
  return paths[0]
}

export function noList(items: string, found: Iterable<string>, list: string): ConfigurationError {
  const names = [...found].filter((name) => name !== '')
  const near = nearest(items, names)
  return damaged(
    list,
    `has no list "${items}"`,
    near
      ? `Did you mean source.items: ${near}?`
      : `Set source.items to one of those it has: ${names.join(', ') || 'none'}.`,
  )
}
