/**
 * Whether the names of a list are what the mapping needs: told once for the list, before any of its rows is stored
 * where that can be.
 */
import { ConfigurationError } from '../../../errors/index.js'
import { nearest } from '../../../errors/suggest.js'
import { isMalformed, type Location, type Malformed } from '../../../plugin.js'
import { visible, withoutHidden } from '../../../words.js'
import { looksLikePair } from '../coordinates.js'
import { optionsFor } from '../degrees.js'
import type { Terms } from '../mapping.js'
import { known, typed } from '../names.js'
import type { FieldOptions } from '../options.js'
import { namesIn } from '../paths.js'
import { likelyFor, needs, otherUnit } from './likely.js'

/** Records without a latitude, say, that are enough to say that the list has none. */
const enough = 20

/** Names that are shown. */
const shownNames = 30

interface Sample {
  readonly name: string
  readonly value: unknown
}

export class Judge {
  readonly #options: FieldOptions
  readonly #terms: Terms
  /** What no record has had so far: owm's names, and the source's own that are mapped to them. */
  readonly #missing: Set<string>
  readonly #unmapped: Map<string, string>
  /** Names that the first records had, with a value each. */
  readonly #names = new Map<string, unknown>()
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

  /** Judges a list that declares its columns. */
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
    // Each page of an API declares its own, whatever the first one had.
    for (const [needed] of needs) if (!lacking.includes(needed)) this.#missing.delete(needed)
    // A column may hold objects: then the records are judged.
    for (const needed of lacking)
      if (!isInside(this.#options.fields?.[needed] ?? '') && !values.some(isObject))
        throw this.#lacks(needed, sample, where, this.#free(sample, meanings))
  }

  /** Notes what a record has. */
  saw(record: Readonly<Record<string, unknown>>, made: Location | Malformed): void {
    if (this.#missing.size === 0 && this.#unmapped.size === 0) return
    this.#records++
    for (const needed of this.#missing)
      if (isMalformed(made) || made[needed] !== undefined) this.#missing.delete(needed)
    const found = namesIn(record)
    if (this.#unmapped.size > 0) {
      const there = new Set(found.map(({ name }) => typed(name)))
      for (const own of this.#unmapped.keys())
        if (there.has(typed(own)) || valueAt(record, own) !== undefined) this.#unmapped.delete(own)
    }
    if (this.#names.size < 300)
      for (const { name, value } of found) this.#names.set(name, this.#names.get(name) ?? value)
  }

  judge(isEnd: boolean): void {
    if (this.#records === 0) return
    const sample = [...this.#names].map(([name, value]) => ({ name, value }))
    for (const [own, why] of this.#unmapped)
      if (isEnd || nearestIn(own, sample) !== undefined) throw this.#notFound(own, why, sample, '')
    if (!isEnd && this.#records < enough) return
    for (const needed of this.#missing) throw this.#lacks(needed, sample, '')
  }

  /** Columns that mean nothing to owm. */
  #free(sample: readonly Sample[], meanings: readonly string[]): Sample[] {
    return sample.filter((_, index) => !known.has(meanings[index] ?? ''))
  }

  #notFound(own: string, why: string, sample: readonly Sample[], where: string): ConfigurationError {
    const { title, thing } = this.#terms
    const near = nearestIn(own, sample)
    const what = thing === 'column' ? `${title} has no column "${own}"` : `${title}: no record has ${own}`
    return new ConfigurationError(`${what}, which ${why}${where}.`, {
      hint: `${this.#inWords(sample)} ${near === undefined ? 'Correct the name.' : `Did you mean "${near}"?`}`,
    })
  }

  /** @param free those that mean nothing yet */
  #lacks(needed: string, sample: readonly Sample[], where: string, free = sample): ConfigurationError {
    const { title, thing } = this.#terms
    const both = needed === 'city' ? undefined : sample.find(({ value }) => looksLikePair(value) !== undefined)
    const hint = both ? pairHint(both, thing) : this.#mapHint(needed, free)
    return new ConfigurationError(`${title} has no ${thing} for the ${needed}${where}.`, {
      hint: `${this.#inWords(sample)} ${hint}`,
    })
  }

  #mapHint(needed: string, sample: readonly Sample[]): string {
    const chosen = Object.keys(this.#options.fields ?? {}).find((key) => key !== needed && nearest(key, [needed]))
    if (chosen !== undefined) return `Did you mean ${needed} in source.fields, not ${chosen}?`
    const scalars = new Map(sample.filter(({ value }) => !isObject(value)).map(({ name, value }) => [name, value]))
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

  #inWords(sample: readonly Sample[]): string {
    const names = sample.map(({ name }) => visible(name))
    const more = names.length > shownNames ? `, and ${names.length - shownNames} more` : ''
    return `Its ${this.#terms.thing}s are: ${names.slice(0, shownNames).join(', ').slice(0, 500)}${more}.`
  }
}

function pairHint({ name, value }: Sample, thing: string): string {
  const kind = looksLikePair(value)
  if (kind === 'WKB') return `The ${thing} "${name}" is a binary geometry: let the query give ST_AsText(${name}).`
  const order = kind !== 'a pair' ? '' : ', with coordinates: lat-lon or coordinates: lon-lat, whichever it is'
  return `The ${thing} "${name}" seems to hold both: map it, fields: {coordinates: ${name}}${order}.`
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !(value instanceof Date)

const nearestIn = (own: string, sample: readonly Sample[]): string | undefined =>
  nearest(
    own,
    sample.map(({ name }) => name),
  )

function valueAt(record: Readonly<Record<string, unknown>>, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (inner, part) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, part) : undefined),
      record,
    )
}
