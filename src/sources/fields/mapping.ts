/** From a record with its own names to a location. One for each read of a list. */
import { ConfigurationError } from '../../errors/index.js'
import { isMalformed, type Location, type Logger, Malformed } from '../../plugin.js'
import { Twice } from '../../tasks/json/exact.js'
import { withoutHidden } from '../../words.js'
import { pairOf } from './coordinates.js'
import { type Axis, degreesOf, Unreadable } from './degrees.js'
import { Judge } from './judge/judge.js'
import { isNullIsland, Notes } from './judge/notes.js'
import { Bare, freeName, known, type Meanings, meaningsOf, partOfDegrees, type Renamed, type Thing } from './names.js'
import type { FieldOptions } from './options.js'
import { nestedPaths } from './paths.js'
import { cleaner, isAbsent } from './values.js'

export interface Terms {
  /** The list, as messages begin: `The list /a.csv`. */
  readonly title: string
  readonly thing: Thing
  readonly log: Logger
}

/** What each value of a record is; undefined for one that doesn't travel. */
export interface Plan {
  readonly names: readonly string[]
  readonly meanings: readonly (string | undefined)[]
  readonly copied: Meanings['copied']
}

interface RecordPlan extends Plan {
  /** How many values were taken out of the object under each key; undefined where none were. */
  readonly taken: readonly number[] | undefined
}

/** The record as text, for what is rejected. */
type Raw = () => string

export class Mapping {
  readonly #options: FieldOptions
  readonly #terms: Terms
  readonly #judge: Judge
  readonly #clean: (value: unknown) => unknown
  readonly #paths: ReturnType<typeof nestedPaths>
  /** By the names of a record: a list's records have few shapes, however many there are of them. */
  readonly #plans = new Map<string, RecordPlan>()
  readonly #told = new Set<string>()
  readonly #notes = new Notes()

  constructor(options: FieldOptions, terms: Terms) {
    this.#options = options
    this.#terms = terms
    this.#judge = new Judge(options, terms)
    this.#clean = cleaner(options.nulls)
    this.#paths = nestedPaths(options)
  }

  /**
   * The plan of a list that declares its columns. Throws ConfigurationError where one that is needed or mapped isn't
   * there.
   *
   * @param where behind the message, `, line 1`
   * @param sample the values of a row, if one is known, for hints
   */
  declare(names: readonly string[], where = '', sample: readonly unknown[] = []): Plan {
    const { meanings, renamed, copied } = meaningsOf(names, this.#terms.thing, this.#options.fields)
    this.#checkDegrees(names)
    this.#judge.declared(names, [...meanings, ...copied.map(({ to }) => to)], where, sample)
    this.#notes.named(names, meanings)
    this.tell(renamed)
    return { names, meanings: meanings.map((meaning, index) => this.#travels(names[index] ?? '', meaning)), copied }
  }

  /** A row's location; undefined where it has no value at all. */
  fromRow(plan: Plan, values: readonly unknown[], raw: Raw): Location | Malformed | undefined {
    return this.#made(plan, values, raw)
  }

  /**
   * An object's location: its keys are renamed, and what a path leads to inside of nested objects is taken. A nested
   * object of which nothing is left is left out. Undefined where there is no value at all.
   *
   * @param key the id, where the record has none of its own; else it travels as well
   */
  fromRecord(record: Readonly<Record<string, unknown>>, raw: Raw, key?: string): Location | Malformed | undefined {
    const { names, values, own } = this.#paths(record)
    const plan = this.#planFor(names, own)
    const { taken } = plan
    const kept = taken ? values.map((value, index) => left(value, taken[index] ?? 0)) : values
    const made = this.#made(plan, kept, raw, key)
    const isBesideId = key !== undefined && made !== undefined && !isMalformed(made) && !isSame(made['id'], key)
    if (isBesideId) return this.fromRecord({ ...record, [freeName('original_key', record)]: key }, raw)
    if (made !== undefined) this.#judge.saw(record, made)
    return made
  }

  /** What names would mean, were they those of a list. */
  meaningsOf(names: readonly string[]): readonly string[] {
    return meaningsOf(names, this.#terms.thing, this.#options.fields).meanings
  }

  /** Whether a record has the keys of a place, and values under them. */
  seemsPlace(record: Readonly<Record<string, unknown>>): boolean {
    const { names, values } = this.#paths(record)
    const { meanings } = meaningsOf(names, this.#terms.thing, this.#options.fields)
    if (this.#options.fields?.['coordinates'] !== undefined) return meanings.includes('coordinates')
    return ['latitude', 'longitude'].every((axis) => {
      const value = values[meanings.indexOf(axis)]
      return value !== undefined && (typeof value !== 'object' || value === null)
    })
  }

  /** Counts what is told once for the list. */
  count(records: readonly (Location | Malformed)[]): void {
    this.#notes.count(records)
  }

  /**
   * Throws ConfigurationError once it is clear that the records have no latitude, say, or that a mapping finds
   * nothing.
   */
  judge(isEnd: boolean): void {
    this.#judge.judge(isEnd)
    if (isEnd) this.#notes.tell(this.#terms)
  }

  /** Throws ConfigurationError where a name says that the coordinates have parts, and nobody chose one that has not. */
  #checkDegrees(names: readonly string[]): void {
    const { title, thing } = this.#terms
    const part = ['latitude', 'coordinates'].some((key) => Object.hasOwn(this.#options.fields ?? {}, key))
      ? undefined
      : partOfDegrees(names)
    if (part === undefined) return
    throw new ConfigurationError(`${title} has the ${thing} "${part}": are its coordinates in several ${thing}s?`, {
      hint:
        'owm reads decimal degrees, or all parts in one value (source.dms): put them together first; ' +
        'or name those that are whole, source.fields: {latitude: …, longitude: …}.',
    })
  }

  /** What a name travels as; undefined where `columns` leaves it out. */
  #travels(name: string, meaning: string): string | undefined {
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
    this.#notes.named(names, all)
    this.tell(renamed.filter(({ name }) => names.indexOf(name) < own))
    // What a path found is either a known field now, or no field at all.
    const meanings = all.map((meaning, index) => {
      const name = names[index] ?? ''
      const isWanted = index < own || isMapped(meaning, this.#options) || this.#options.columns?.includes(name)
      return isWanted ? this.#travels(name, meaning) : undefined
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
    const location = new Bare()
    let isEmpty = true
    for (let index = 0; index < meanings.length; index++) {
      const meaning = meanings[index]
      // NaN is no value, but a coordinate that is wrong: it isn't told as missing.
      const isWrong = Number.isNaN(values[index]) && (meaning === 'latitude' || meaning === 'longitude')
      const value = isWrong ? Number.NaN : this.#clean(values[index])
      if (value === undefined) continue
      if (typeof value === 'object' && value instanceof Twice)
        return new Malformed(raw(), `the key "${names[index]}" is there twice, with two values`)
      if (isEmpty) isEmpty = isAbsent(value)
      if (meaning !== undefined) location[meaning] = value
    }
    if (isEmpty) return undefined
    for (const { from, to } of copied) location[to] = location[from]
    if (key !== undefined && isAbsent(location['id'])) location['id'] = key
    return this.#placed(location, raw)
  }

  /** Reads the coordinates. */
  #placed(location: Bare, raw: Raw): Location | Malformed {
    const { fields, rejectNullIsland } = this.#options
    const isPair = fields?.['coordinates'] !== undefined
    const wrong =
      (isPair ? this.#part(location) : undefined) ??
      this.#read(location, 'latitude') ??
      this.#read(location, 'longitude')
    if (wrong) return new Malformed(raw(), wrong.reason, isPair ? 'coordinates' : wrong.axis)
    return rejectNullIsland && isNullIsland(location)
      ? new Malformed(raw(), 'the place is at 0, 0 (source.rejectNullIsland)', 'latitude')
      : location
  }

  /** Puts the two in the place of the one value that holds both. */
  #part(location: Bare): { reason: string; axis?: Axis } | undefined {
    const both = location['coordinates']
    delete location['coordinates']
    if (isAbsent(both)) return new Unreadable('the coordinates are missing')
    const pair = pairOf(both, this.#options, this.#terms.title)
    if (pair instanceof Unreadable) return pair
    Object.assign(location, pair)
    return undefined
  }

  #read(location: Bare, axis: Axis): { reason: string; axis: Axis } | undefined {
    const value = location[axis]
    if (isAbsent(value)) return undefined
    const read = degreesOf(value, axis, this.#options)
    if (read instanceof Unreadable) return { reason: read.reason, axis }
    if (read !== value) location[axis] = read
    return undefined
  }

  /** Names under which values travel, once each: neither is dropped. */
  tell(renamed: readonly Renamed[]): void {
    const { columns } = this.#options
    for (const { name, as, why } of renamed) {
      const isLeftOut = columns !== undefined && !columns.includes(name) && !columns.includes(as)
      if (isLeftOut || this.#told.has(name)) continue
      this.#told.add(name)
      const { title, thing, log } = this.#terms
      log.warn({ event: 'field-renamed' }, `${title}: the ${thing} "${name}" travels as ${as}, since ${why}`)
    }
  }
}

/** An object of which something is left once `taken` values were taken out of it. */
const left = (value: unknown, taken: number): unknown =>
  taken > 0 && typeof value === 'object' && value !== null && Object.keys(value).length === taken ? undefined : value

const isSame = (id: unknown, key: string): boolean => typeof id !== 'object' && String(id) === key

const isMapped = (meaning: string, { fields = {} }: FieldOptions): boolean =>
  known.has(meaning) || Object.hasOwn(fields, meaning)
