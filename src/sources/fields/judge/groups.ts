/** Recognises records that aren't places but hold several: by their ids, `{"a1": {…}, "a2": {…}}`, or in a list. */
import { isTree } from '../../../tasks/json/tree.js'
import { namesIn } from '../paths.js'
import { looksLikePlace } from './likely.js'

/** The most records that are examined. */
const most = 20

interface Group {
  /** Where in the record they are; undefined if they are the record itself. */
  readonly at: string | undefined
  /** The record's own key, in an object of records. */
  readonly key: string | undefined
  /** Their ids; undefined in a list. */
  readonly ids: readonly string[] | undefined
}

export class Groups {
  readonly #groups: Group[] = []
  /** Whether two records name their places alike: `origin` and `destination` are parts of a record, no ids. */
  #areParts = false
  #records = 0

  look(record: Readonly<Record<string, unknown>>, key: string | undefined): void {
    if (this.#records++ >= most) return
    const [at, held] = heldIn(record) ?? []
    if (held === undefined) return
    const ids = Array.isArray(held) ? undefined : Object.keys(held)
    this.#areParts ||= this.#groups.some((other) => other.at === at && other.ids?.some((id) => ids?.includes(id)))
    this.#groups.push({ at, key, ids })
  }

  /** Whether a record of an object is nothing but places by their ids. */
  get areKeyed(): boolean {
    return !this.#areParts && this.#groups.some(({ at, key }) => at === undefined && key !== undefined)
  }

  /** What to do; undefined where records hold no places. */
  get hint(): string | undefined {
    const [first, ...others] = this.#areParts ? [] : this.#groups
    if (first === undefined) return undefined
    const { at, key, ids } = first
    const together = 'owm reads one list of places, so put them together first.'
    if (at !== undefined) return `Each record holds places of its own, in "${at}": ${together}`
    if (key === undefined || ids === undefined) return `Each record holds places, by their ids: ${together}`
    if (others.length > 0) return `"${key}" and others are no places, but hold places by their ids: ${together}`
    return `"${key}" is no place, but holds places by their ids: name it in source.items.`
  }
}

/** The places in a record, and their path. */
function heldIn(record: Readonly<Record<string, unknown>>): [at: string | undefined, held: object] | undefined {
  if (isGroup(record)) return [undefined, record]
  const found = namesIn(record, 2).find(({ value }) => isGroup(value) || isList(value))
  return typeof found?.value === 'object' && found.value !== null ? [found.name, found.value] : undefined
}

const isList = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isPlace)

/** A single object may be a part of the record: `{"coord": {"lat": …}}`. */
function isGroup(value: unknown): boolean {
  const members = isTree(value) ? Object.values(value) : []
  return members.length > 1 && members.every(isPlace)
}

const isPlace = (value: unknown): boolean => isTree(value) && looksLikePlace(namesIn(value, 2).map(({ name }) => name))
