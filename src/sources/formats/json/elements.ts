/** The elements of one list in a JSON text, each as text: so an invalid one costs no other. */
import { maxRecord } from '../records.js'
import { Walker } from './walker.js'

export interface Element {
  readonly text: string
  /** Where it begins, from 1. */
  readonly line: number
  /** The key of a member, where the list is an object. */
  readonly key: string | undefined
}

export class Elements extends Walker {
  readonly #path: readonly string[]
  readonly #isObject: boolean
  /** How many brackets are open within the list; undefined outside of it. */
  #depth: number | undefined
  /** Where the current element begins. */
  #start = 0
  #key: string | undefined
  #found: Element[] = []
  /** Whether the text has the list. */
  isFound = false
  #around = ''
  /** Where text around the list begins that isn't in `#around` yet; undefined within the list. */
  #outside: number | undefined = 0

  /**
   * @param path the keys that lead to the list
   * @param isObject whether its elements are the members of an object, not of an array
   */
  constructor(path: readonly string[], isObject: boolean) {
    super()
    this.#path = path
    this.#isObject = isObject
  }

  /** The elements that end in this chunk. Throws Unstructured. */
  feed(chunk: string): Element[] {
    this.#found = []
    this.walk(chunk)
    const isInside = this.#depth !== undefined
    if (!isInside) this.#keepAround(this.scanner.text.length)
    const dropped = this.drop(isInside ? this.#start : this.scanner.text.length)
    this.#start -= dropped
    if (this.#outside !== undefined) this.#outside -= dropped
    return this.#found
  }

  /** The text without the list's elements; undefined if it is too long, or the list is all of it. */
  get around(): string | undefined {
    return this.#path.length > 0 && this.#around.length <= maxRecord ? this.#around : undefined
  }

  #keepAround(to: number): void {
    if (this.#outside !== undefined && this.#around.length <= maxRecord)
      this.#around += this.scanner.text.slice(this.#outside, to)
    this.#outside = to
  }

  /** How many characters of the current element were read. */
  get pending(): number {
    return this.scanner.text.length
  }

  protected override opened(isArray: boolean, at: number): void {
    if (this.#depth !== undefined || isArray === this.#isObject || !this.#isList()) return
    this.isFound = true
    this.#keepAround(at + 1)
    this.#outside = undefined
    this.#depth = this.stack.length
    this.#begin(at + 1)
  }

  /** Whether the bracket that was just opened is the list's. */
  #isList(): boolean {
    const parents = this.stack.slice(0, -1)
    return parents.length === this.#path.length && parents.every(({ key }, index) => key === this.#path[index])
  }

  protected override member(key: string, at: number): void {
    if (this.stack.length !== this.#depth) return
    this.#begin(at + 1)
    this.#key = key
  }

  protected override separated(at: number): void {
    if (this.stack.length !== this.#depth) return
    this.#take(at)
    this.#begin(at + 1)
  }

  protected override closing(at: number): void {
    if (this.stack.length !== this.#depth) return
    const isEmpty = this.scanner.text.slice(this.#start, at).trim() === ''
    if (!isEmpty) this.#take(at)
    this.#depth = undefined
    this.#outside = at
  }

  #begin(at: number): void {
    this.#start = at
    this.#key = undefined
  }

  #take(end: number): void {
    const raw = this.scanner.text.slice(this.#start, end)
    const blank = raw.length - raw.trimStart().length
    this.#found.push({ text: raw.trim(), line: this.scanner.lineAt(this.#start + blank), key: this.#key })
  }
}
