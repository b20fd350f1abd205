/** Reports conditions that no location can meet as they are written: a misspelt field, text for a number. */
import { ConfigurationError } from '../../../errors/index.js'
import { nearest } from '../../../errors/suggest.js'
import type { Location, Logger } from '../../../plugin.js'
import { HexBytes } from '../../../tasks/json/hex.js'
import { numberIn } from '../../../tasks/place.js'
import { shown } from '../../../tasks/rejection.js'
import { clipped } from '../../../words.js'
import { fieldOf, fitsBytes, isBounded, isCompound, isListed, isRefusing, meeting, type Where } from './where.js'

/** After this many locations without a field it is taken for misspelt. */
const enough = 20

/** The values so far of a field that is compared with numbers. */
interface Compared {
  numbers: number
  others: number
  /** The first one of the others. */
  example: unknown
}

export class FieldCheck {
  readonly #key: string
  readonly #log: Logger
  #read = 0
  /** Fields that no location has had so far -> whether the condition needs one. */
  readonly #unseen: Map<string, boolean>
  /** Fields that must be absent: in a sparse list it may be right that no location has them. */
  readonly #unwanted: Set<string>
  /** Fields of the first locations, to suggest one. */
  readonly #seen = new Set<string>()
  readonly #compared: Map<string, Compared>
  /** Fields whose conditions bytes can't meet. */
  readonly #textual: readonly string[]
  /** One of them that has bytes, and those. */
  #bytes: { readonly field: string; readonly value: HexBytes } | undefined
  /** Fields that must be one of some values. */
  readonly #listed: ReadonlySet<string>
  /** Those, and fields that must be none of some, which have been lists or objects only -> the first of these. */
  readonly #compound: Map<string, unknown>

  /** @param key where the conditions stand in the configuration */
  constructor(where: Where, key: string, log: Logger) {
    this.#key = key
    this.#log = log
    const fields = Object.entries(where)
    this.#unseen = new Map(fields.map(([field, wanted]) => [field, !meeting(wanted)(undefined)]))
    const unwanted = fields.filter(([, wanted]) => !('length' in wanted) && wanted.exists === false)
    this.#unwanted = new Set(unwanted.map(([field]) => field))
    this.#textual = fields.filter(([, wanted]) => !fitsBytes(wanted)).map(([field]) => field)
    const listed = fields.filter(([, wanted]) => isListed(wanted) && !meeting(wanted)(undefined))
    this.#listed = new Set(listed.map(([field]) => field))
    const refusing = fields.filter(([, wanted]) => isRefusing(wanted))
    this.#compound = new Map([...listed, ...refusing].map(([field]) => [field, undefined]))
    const compared = fields.filter(([, wanted]) => isBounded(wanted))
    this.#compared = new Map(compared.map(([field]) => [field, { numbers: 0, others: 0, example: undefined }]))
  }

  note(location: Location): void {
    this.#read++
    for (const [field, seen] of this.#compared) {
      const value = fieldOf(location, field)
      if (Number.isFinite(numberIn(value))) seen.numbers++
      else if (value !== undefined && value !== null && value !== '' && seen.others++ === 0) seen.example = value
    }
    for (const field of this.#textual) {
      const value = fieldOf(location, field)
      if (value instanceof HexBytes) this.#bytes ??= { field, value }
    }
    for (const [field, first] of this.#compound) {
      const value = fieldOf(location, field)
      if (isCompound(value)) this.#compound.set(field, first ?? value)
      else if (value !== undefined && value !== null && value !== '') this.#compound.delete(field)
    }
    if (this.#unseen.size === 0) return
    for (const field of this.#unseen.keys()) if (fieldOf(location, field) !== undefined) this.#unseen.delete(field)
    if (this.#seen.size < 300) for (const field of Object.keys(location)) this.#seen.add(field)
  }

  /**
   * Throws ConfigurationError if no location had a field that is needed, if a field that is compared with numbers never
   * had one, or if a field that is compared with text has bytes, or nothing but lists and objects.
   */
  judge(isEnd: boolean): void {
    if (this.#bytes) throw this.#notText(this.#bytes)
    if (this.#read === 0 || (!isEnd && this.#read < enough)) return
    for (const [field, isNeeded] of this.#seen.size > 0 ? this.#unseen : []) {
      const near = nearest(field, [...this.#seen])
      if (!isEnd && (near === undefined || !isNeeded)) continue
      const message = `${this.#key}: no location has ${field}.`
      const hint = this.#hintFor(field, near)
      if (isNeeded) throw new ConfigurationError(message, { hint })
      const fields = { event: 'field-missing', field }
      if (near !== undefined || !this.#unwanted.has(field))
        this.#log.warn(fields, `${message} All of them meet its condition. ${hint}`)
    }
    if (!isEnd) return
    for (const [field, seen] of this.#compared) this.#judgeNumbers(field, seen)
    for (const [field, first] of this.#compound) if (first !== undefined) this.#judgeCompound(field, first)
  }

  /** For conditions that leave nothing out: at the end, warns of what `judge` would throw. */
  warn(): void {
    try {
      this.judge(true)
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      this.#log.warn({ event: 'field-useless' }, `${error.message} ${error.hint}`)
    }
  }

  #notText({ field, value }: { readonly field: string; readonly value: HexBytes }): ConfigurationError {
    return new ConfigurationError(
      `${this.#key}: ${field} is bytes in the database, which are compared as hex digits, ` +
        `such as ${clipped(String(value), 40)}.`,
      {
        hint:
          'Let source.query give it as text: CAST(… AS CHAR) AS name; in SQLite CAST(… AS TEXT), ' +
          "in PostgreSQL convert_from(…, 'UTF8').",
      },
    )
  }

  #judgeCompound(field: string, first: unknown): void {
    const [part = '0'] = Object.keys(Object(first))
    const such = `such as ${shown(first)}`
    const message = `${this.#key}: ${field} is a list or an object, ${such}, and none of these equals a value.`
    const hint = `Map one of its values, source.fields: {NAME: ${field}.${part}}, and compare NAME.`
    if (this.#listed.has(field)) throw new ConfigurationError(message, { hint })
    const fields = { event: 'field-useless', field }
    this.#log.warn(fields, `${message} A condition by \`not\` leaves none of them out. ${hint}`)
  }

  #judgeNumbers(field: string, { numbers, others, example }: Compared): void {
    if (others === 0) return
    const such = `such as ${shown(example)}`
    const hint =
      'A number is 1234.5 or -1.2e3, without separators or units; source.nulls names what stands for no value.'
    if (numbers === 0)
      throw new ConfigurationError(`${this.#key}: ${field} is a number in no location, ${such}.`, { hint })
    const many = others === 1 ? 'one location' : `${others} locations`
    const fields = { event: 'field-no-number', field, count: others }
    this.#log.warn(fields, `${this.#key}: ${field} is no number in ${many}, ${such}. ${hint}`)
  }

  #hintFor(field: string, near: string | undefined): string {
    if (near !== undefined) return `Did you mean "${near}"?`
    const [root = '', inner] = field.split('.')
    if (inner !== undefined && this.#seen.has(root))
      return `Map it, source.fields: {${inner}: ${field}}, and filter by ${inner}.`
    const names = [...this.#seen].slice(0, 30).join(', ')
    return (
      `They have ${names}: a column that is mapped has owm's own name here, ` +
      "and one that source.columns leaves out isn't here."
    )
  }
}
