/** Maps records with the source's own names to locations. One instance for each read of a list. */
import { ConfigurationError } from '../../errors/index.js'
import { isMalformed, type Location, type Logger, Malformed } from '../../plugin.js'
import { RepeatedKey } from '../../tasks/json/exact.js'
import { isObject } from '../../tasks/json/tree.js'
import { withoutHidden } from '../../words.js'
import { pairOf } from './coordinates.js'
import { type Axis, axes, degreesOf, Unreadable } from './degrees.js'
import { Judge } from './judge/judge.js'
import { isNullIsland, Notes } from './judge/notes.js'
import { Parts } from './judge/parts.js'
import {
  Dictionary,
  freeName,
  known,
  type Meanings,
  meaningsOf,
  partOfDegrees,
  type Renamed,
  type Thing,
} from './names.js'
import type { FieldOptions } from './options.js'
import { nestedPaths } from './paths.js'
import { cleaner, isAbsent } from './values.js'

export interface Terms {
  /** The list, at the start of messages: `The list /a.csv`. */
  readonly title: string
  readonly thing: Thing
  readonly log: Logger
}

/** What each value of a record means; undefined for one that doesn't travel. */
export interface Plan {
  readonly names: readonly string[]
  readonly meanings: readonly (string | undefined)[]
  readonly copied: Meanings['copied']
}

interface RecordPlan extends Plan {
  /** How many values were taken out of the object under each key; undefined where none were. */
  readonly taken: readonly number[] | undefined
}

/** The record as text, in case it is rejected. */
type Raw = () => string

export class Mapping {
  readonly #options: FieldOptions
  readonly #terms: Terms
  readonly #judge: Judge
  readonly #clean: (value: unknown) => unknown
  readonly #paths: ReturnType<typeof nestedPaths>
  /** By the names of a record: a list's records are many, but of few shapes. */
  readonly #plans = new Map<string, RecordPlan>()
  readonly #warned = new Set<string>()
  readonly #notes = new Notes()
  readonly #parts = new Parts()

  constructor(options: FieldOptions, terms: Terms) {
    this.#options = options
    this.#terms = terms
    this.#judge = new Judge(options, terms)
    this.#clean = cleaner(options.nulls)
    this.#paths = nestedPaths(options)
  }

  /**
   * The plan of a list that declares its columns. Throws ConfigurationError if a needed or mapped one is missing.
   *
   * @param where ends the message: `, line 1`
   * @param sample the values of a row, if one is known, for hints
   */
  declare(names: readonly string[], where: string, sample: readonly unknown[] = []): Plan {
    const { meanings, renamed, copied } = meaningsOf(names, this.#terms.thing, this.#options.fields)
    this.#checkDegrees(names)
    this.#judge.declared(names, [...meanings, ...copied.map(({ to }) => to)], where, sample)
    this.#notes.noteNames(names, meanings)
    this.warnRenamed(renamed)
    return { names, meanings: meanings.map((meaning, index) => this.#travelsAs(names[index] ?? '', meaning)), copied }
  }

  /** A row's location; undefined if it has no value at all. */
  fromRow(plan: Plan, values: readonly unknown[], raw: Raw): Location | Malformed | undefined {
    return this.#made(plan, values, raw)
  }

  /**
   * An object's location: its keys are renamed, and the values at mapped paths are taken out of nested objects. A
   * nested object that is empty then is left out. Undefined if there is no value at all.
   *
   * @param key the id, unless the record has one of its own; then the key travels as well
   */
  fromRecord(record: Readonly<Record<string, unknown>>, raw: Raw, key?: string): Location | Malformed | undefined {
    const { names, values, own } = this.#paths(record)
    const plan = this.#planFor(names, own)
    const { taken } = plan
    const kept = taken ? values.map((value, index) => leftOf(value, taken[index] ?? 0)) : values
    const made = this.#made(plan, kept, raw, key)
    const isBesideId = key !== undefined && made !== undefined && !isMalformed(made) && !isSame(made['id'], key)
    if (isBesideId) return this.fromRecord({ ...record, [freeName('original_key', record)]: key }, raw)
    if (made !== undefined) this.#judge.saw(record, made, key)
    return made
  }

  /** What these names would mean as those of a list. */
  meaningsOf(names: readonly string[]): readonly string[] {
    return meaningsOf(names, this.#terms.thing, this.#options.fields).meanings
  }

  /** Whether a record has the keys of a place, and values under them, or is one of GeoJSON's features. */
  seemsPlace(record: Readonly<Record<string, unknown>>): boolean {
    if (record['type'] === 'Feature') return true
    const { names, values } = this.#paths(record)
    const { meanings } = meaningsOf(names, this.#terms.thing, this.#options.fields)
    if (this.#options.fields?.['coordinates'] !== undefined) return meanings.includes('coordinates')
    return axes.every((axis) => {
      const value = values[meanings.indexOf(axis)]
      return value !== undefined && !isObject(value)
    })
  }

  /** Whether it has a name as well, without which a place is rejected. */
  seemsNamed(record: Readonly<Record<string, unknown>>): boolean {
    const { names, values } = this.#paths(record)
    const { meanings } = meaningsOf(names, this.#terms.thing, this.#options.fields)
    return this.seemsPlace(record) && !isAbsent(values[meanings.indexOf('city')])
  }

  /** Gathers what is logged once for the list. */
  count(records: readonly (Location | Malformed)[]): void {
    this.#notes.count(records)
  }

  /**
   * Throws ConfigurationError once it is clear that the records have no latitude, say, or that a mapping finds
   * nothing.
   */
  judge(isEnd: boolean): void {
    this.#judge.judge(isEnd)
    const part = this.#parts.found
    if (part !== undefined && !this.#isChosen) throw this.#inParts(part)
    if (isEnd) this.#notes.warn(this.#terms)
    const { title, thing, log } = this.#terms
    if (isEnd && part !== undefined)
      log.warn(
        { event: 'other-unit' },
        `${title}: by the ${thing} "${part}" the coordinates are in several ${thing}s, of which source.fields names ` +
          'only a part: put them together first',
      )
  }

  /** Throws ConfigurationError if coordinates seem to be in several columns, unless source.fields names whole ones. */
  #checkDegrees(names: readonly string[]): void {
    const part = this.#isChosen ? undefined : partOfDegrees(names)
    if (part !== undefined) throw this.#inParts(part)
  }

  /** Whether somebody chose where the coordinates are. */
  get #isChosen(): boolean {
    return ['latitude', 'coordinates'].some((key) => Object.hasOwn(this.#options.fields ?? {}, key))
  }

  #inParts(part: string): ConfigurationError {
    const { title, thing } = this.#terms
    return new ConfigurationError(`${title} has the ${thing} "${part}": are its coordinates in several ${thing}s?`, {
      hint:
        'owm reads decimal degrees, or all parts in one value (source.dms): put them together first; ' +
        'or name those that are whole, source.fields: {latitude: …, longitude: …}.',
    })
  }

  /** The name that values travel under; undefined if `columns` leaves them out. */
  #travelsAs(name: string, meaning: string): string | undefined {
    const { columns } = this.#options
    const isNamed = columns?.includes(name.trim()) || columns?.includes(withoutHidden(name).trim())
    const isWanted = columns === undefined || isMapped(meaning, this.#options) || isNamed
    return isWanted ? meaning : undefined
  }

  #planFor(names: readonly string[], own: number): RecordPlan {
    const shape = `${own}\0${names.join('\0')}`
    const cached = this.#plans.get(shape)
    if (cached) return cached
    const { meanings: all, renamed, copied } = meaningsOf(names, this.#terms.thing, this.#options.fields)
    this.#checkDegrees(names)
    this.#notes.noteNames(names, all)
    this.warnRenamed(renamed.filter(({ name }) => names.indexOf(name) < own))
    // A value found by its path travels only if it is mapped, or named in `columns`.
    const meanings = all.map((meaning, index) => {
      const name = names[index] ?? ''
      const isWanted = index < own || isMapped(meaning, this.#options) || this.#options.columns?.includes(name)
      return isWanted ? this.#travelsAs(name, meaning) : undefined
    })
    const used = names.slice(own).filter((_, index) => meanings[own + index] !== undefined)
    const taken = names
      .slice(0, own)
      .map((name) => used.filter((path) => path.startsWith(`${name}.`) && path.split('.').length === 2).length)
    const plan = { names, meanings, copied, taken: taken.some((count) => count > 0) ? taken : undefined }
    if (this.#plans.size >= 1_000) this.#plans.clear()
    this.#plans.set(shape, plan)
    return plan
  }

  #made(
    { names, meanings, copied }: Plan,
    values: readonly unknown[],
    raw: Raw,
    key?: string,
  ): Location | Malformed | undefined {
    const location = new Dictionary()
    let isEmpty = true
    for (let index = 0; index < meanings.length; index++) {
      const meaning = meanings[index]
      // NaN is no value, but as a coordinate it is wrong rather than missing.
      const isWrong = Number.isNaN(values[index]) && (meaning === 'latitude' || meaning === 'longitude')
      const value = isWrong ? Number.NaN : this.#clean(values[index])
      if (value === undefined) continue
      if (typeof value === 'object' && value instanceof RepeatedKey)
        return new Malformed(raw(), `the key "${names[index]}" is there twice, with two values`)
      if (isEmpty) isEmpty = isAbsent(value)
      if (meaning !== undefined) location[meaning] = value
    }
    if (isEmpty) return undefined
    for (const { from, to } of copied) location[to] = location[from]
    if (key !== undefined && isAbsent(location['id'])) location['id'] = key
    const made = this.#placed(location, raw)
    this.#parts.look(names, values, made)
    return made
  }

  /** A location with its coordinates read. */
  #placed(location: Dictionary, raw: Raw): Location | Malformed {
    const { fields, rejectNullIsland } = this.#options
    const isPair = fields?.['coordinates'] !== undefined
    const wrong =
      (isPair ? this.#splitPair(location) : undefined) ??
      this.#read(location, 'latitude') ??
      this.#read(location, 'longitude')
    if (wrong) return new Malformed(raw(), wrong.reason, isPair ? 'coordinates' : wrong.axis)
    return rejectNullIsland && isNullIsland(location)
      ? new Malformed(raw(), 'the place is at 0, 0 (source.rejectNullIsland)', 'latitude')
      : location
  }

  /** Replaces the value that holds both by the two. */
  #splitPair(location: Dictionary): { reason: string; axis?: Axis } | undefined {
    const both = location['coordinates']
    delete location['coordinates']
    if (isAbsent(both)) return new Unreadable('the coordinates are missing')
    const pair = pairOf(both, this.#options, this.#terms.title)
    if (pair instanceof Unreadable) return pair
    Object.assign(location, pair)
    return undefined
  }

  #read(location: Dictionary, axis: Axis): { reason: string; axis: Axis } | undefined {
    const value = location[axis]
    if (isAbsent(value)) return undefined
    const read = degreesOf(value, axis, this.#options)
    if (read instanceof Unreadable) return { reason: read.reason, axis }
    if (read !== value) location[axis] = read
    return undefined
  }

  /** Warns, once for each name, that its values travel under another one. */
  warnRenamed(renamed: readonly Renamed[]): void {
    const { columns } = this.#options
    for (const { name, as, why } of renamed) {
      const isLeftOut = columns !== undefined && !columns.includes(name) && !columns.includes(as)
      if (isLeftOut || this.#warned.has(name)) continue
      this.#warned.add(name)
      const { title, thing, log } = this.#terms
      log.warn({ event: 'field-renamed' }, `${title}: the ${thing} "${name}" travels as ${as}, since ${why}`)
    }
  }
}

/** A nested value; undefined if all of its values were taken out. */
const leftOf = (value: unknown, taken: number): unknown =>
  taken > 0 && isObject(value) && Object.keys(value).length === taken ? undefined : value

const isSame = (id: unknown, key: string): boolean => typeof id !== 'object' && String(id) === key

const isMapped = (meaning: string, { fields = {} }: FieldOptions): boolean =>
  known.has(meaning) || Object.hasOwn(fields, meaning)
