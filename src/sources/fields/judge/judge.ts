/**
 * Checks once per list that it has the columns or keys which the mapping needs; if possible, before any of its rows is
 * stored.
 */
import { ConfigurationError } from '../../../errors/index.js'
import { nearest } from '../../../errors/suggest.js'
import { isMalformed, type Location, type Malformed } from '../../../plugin.js'
import { isObject } from '../../../tasks/json/tree.js'
import { visible, withoutHidden } from '../../../words.js'
import { looksLikePair } from '../coordinates.js'
import { optionsFor } from '../degrees.js'
import type { Terms } from '../mapping.js'
import { known, typed } from '../names.js'
import type { FieldOptions } from '../options.js'
import { namesIn, valueAt } from '../paths.js'
import { Groups } from './groups.js'
import { likelyFor, needs, otherUnit } from './likely.js'

/** After this many records without a latitude, say, the list is taken to have none. */
const enoughRecords = 20

const maxShownNames = 30

interface Sample {
  readonly name: string
  readonly value: unknown
}

export class Judge {
  readonly #options: FieldOptions
  readonly #terms: Terms
  /** Fields that no record has had so far. */
  readonly #missing: Set<string>
  /** Names in the configuration that no record has had so far, and for messages what names them. */
  readonly #unmapped: Map<string, string>
  /** Names in the first records, with a value each. */
  readonly #names = new Map<string, unknown>()
  readonly #groups = new Groups()
  #records = 0

  constructor(options: FieldOptions, terms: Terms) {
    const { fields = {}, columns = [] } = options
    this.#options = options
    this.#terms = terms
    this.#missing = new Set(needs.map(([needed]) => needed))
    this.#unmapped = new Map([
      ...columns.map((column): [string, string] => [column, 'source.columns names']),
      ...Object.entries(fields).map(([key, own]): [string, string] => [own, `source.fields names for the ${key}`]),
    ])
  }

  /** Checks a list that declares its columns. Throws ConfigurationError. */
  declared(names: readonly string[], meanings: readonly string[], where: string, values: readonly unknown[]): void {
    const lower = new Set(names.map(typed))
    const sample = names.map((name, index) => ({ name, value: values[index] }))
    const isInside = (own: string): boolean => own.includes('.') && lower.has(own.split('.')[0]?.toLowerCase() ?? '')
    for (const [own, why] of this.#unmapped)
      if (lower.has(typed(own))) this.#unmapped.delete(own)
      else if (!isInside(own)) throw this.#notFound(own, why, sample, where)
    const isInPair = (needed: string): boolean =>
      needed !== 'city' && this.#options.fields?.['coordinates'] !== undefined
    const lacking = needs.map(([needed]) => needed).filter((needed) => !meanings.includes(needed) && !isInPair(needed))
    // Each page of an API declares columns of its own.
    for (const [needed] of needs) if (!lacking.includes(needed)) this.#missing.delete(needed)
    // A column may hold objects: then their records are checked.
    for (const needed of lacking)
      if (!isInside(this.#options.fields?.[needed] ?? '') && !values.some(isNested))
        throw this.#lacks(needed, sample, where, this.#unread(sample, meanings))
  }

  /**
   * Notes which names a record has.
   *
   * @param key its own, in an object of records
   */
  saw(record: Readonly<Record<string, unknown>>, made: Location | Malformed, key?: string): void {
    this.#groups.look(record, key)
    if (this.#missing.size === 0 && this.#unmapped.size === 0) return
    this.#records++
    for (const needed of this.#missing)
      if (isMalformed(made) || made[needed] !== undefined) this.#missing.delete(needed)
    const here = namesIn(record)
    if (this.#unmapped.size > 0) {
      const there = new Set(here.map(({ name }) => typed(name)))
      for (const own of this.#unmapped.keys())
        if (there.has(typed(own)) || valueAt(record, own.split('.')) !== undefined) this.#unmapped.delete(own)
    }
    if (this.#names.size < 300)
      for (const { name, value } of here) this.#names.set(name, this.#names.get(name) ?? value)
  }

  judge(isEnd: boolean): void {
    if (this.#records === 0) return
    // Named in source.fields, one of many places in a record would pass for all of them.
    if (this.#groups.areKeyed)
      throw new ConfigurationError(`${this.#terms.title} holds places within its records.`, { hint: this.#groups.hint })
    const sample = [...this.#names].map(([name, value]) => ({ name, value }))
    for (const [own, why] of this.#unmapped)
      if (isEnd || nearestIn(own, sample) !== undefined) throw this.#notFound(own, why, sample, '')
    if (!isEnd && this.#records < enoughRecords) return
    for (const needed of this.#missing) throw this.#lacks(needed, sample, '')
  }

  /** Columns that aren't read as any of owm's fields. */
  #unread(sample: readonly Sample[], meanings: readonly string[]): Sample[] {
    return sample.filter((_, index) => !known.has(meanings[index] ?? ''))
  }

  #notFound(own: string, why: string, sample: readonly Sample[], where: string): ConfigurationError {
    const { title, thing } = this.#terms
    const near = nearestIn(own, sample)
    const what = thing === 'column' ? `${title} has no column "${own}"` : `${title}: no record has ${own}`
    const likely = near === undefined ? 'Correct the name.' : `Did you mean "${near}"?`
    return new ConfigurationError(`${what}, which ${why}${where}.`, {
      hint: `${this.#namesInWords(sample)} ${this.#groups.hint ?? likely}`,
    })
  }

  /** @param unread names that aren't read as any field */
  #lacks(needed: string, sample: readonly Sample[], where: string, unread = sample): ConfigurationError {
    const { title, thing } = this.#terms
    const both = needed === 'city' ? undefined : sample.find(({ value }) => looksLikePair(value) !== undefined)
    const hint = this.#groups.hint ?? (both ? pairHint(both, thing) : this.#mapHint(needed, unread))
    return new ConfigurationError(`${title} has no ${thing} for the ${needed}${where}.`, {
      hint: `${this.#namesInWords(sample)} ${hint}`,
    })
  }

  #mapHint(needed: string, sample: readonly Sample[]): string {
    const chosen = Object.keys(this.#options.fields ?? {}).find((key) => key !== needed && nearest(key, [needed]))
    if (chosen !== undefined) return `Did you mean ${needed} in source.fields, not ${chosen}?`
    const scalars = new Map(sample.filter(({ value }) => !isNested(value)).map(({ name, value }) => [name, value]))
    const likely = new Map<string, string>()
    for (const each of this.#missing) {
      const taken = [...likely.values()]
      const near = likelyFor(
        each,
        [...scalars.keys()].filter((name) => !taken.includes(name)),
      )
      if (near !== undefined) likely.set(each, near)
    }
    const near = likely.get(needed)
    if (near === undefined) return otherUnit(needed, [...scalars.keys()]) ?? this.#plainHint(needed)
    const mapped = [...likely].map(([key, own]) => `${key}: ${withoutHidden(own)}`).join(', ')
    const coordinates = [...likely].flatMap(([key, own]) => (key === 'city' ? [] : [scalars.get(own)]))
    const options = Object.entries(optionsFor(coordinates))
      .filter(([key, value]) => Reflect.get(this.#options, key) !== value)
      .map(([key, value]) => `, ${key}: ${JSON.stringify(value)}`)
    return `Is it "${visible(near)}"? Map it, fields: {${mapped}}${options.join('')}.`
  }

  #plainHint(needed: string): string {
    return `Map it, fields: {${needed}: ${this.#terms.thing.toUpperCase()}}.`
  }

  #namesInWords(sample: readonly Sample[]): string {
    const names = sample.map(({ name }) => visible(name))
    const more = names.length > maxShownNames ? `, and ${names.length - maxShownNames} more` : ''
    return `Its ${this.#terms.thing}s are: ${names.slice(0, maxShownNames).join(', ').slice(0, 500)}${more}.`
  }
}

function pairHint({ name, value }: Sample, thing: string): string {
  const kind = looksLikePair(value)
  if (kind === 'WKB') return `The ${thing} "${name}" is a binary geometry: let the query give ST_AsText(${name}).`
  const order = kind !== 'a pair' ? '' : ', with coordinates: lat-lon or coordinates: lon-lat, whichever it is'
  return `The ${thing} "${name}" seems to hold both: map it, fields: {coordinates: ${name}}${order}.`
}

const isNested = (value: unknown): boolean => isObject(value) && !(value instanceof Date)

const nearestIn = (own: string, sample: readonly Sample[]): string | undefined =>
  nearest(
    own,
    sample.map(({ name }) => name),
  )
