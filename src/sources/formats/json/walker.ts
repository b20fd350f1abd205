/** Follows the structure of a JSON text: which brackets are open, under which keys. */
import { Scanner, type Visitor } from './scan.js'

/** Members of the outermost object that say how to read the others. */
const tellingKeys = new Set(['type', 'crs', 'spatialReference', 'transform'])

/** The text isn't JSON. */
export class Unstructured extends Error {}

export abstract class Walker implements Visitor {
  protected readonly scanner = new Scanner()
  /** For each open bracket, the outermost first: its kind, and the latest key in it. */
  protected readonly stack: { isArray: boolean; key: string | undefined }[] = []
  /** The values of telling members, as text. */
  readonly told = new Map<string, string>()
  /** Where the value of such a member begins. */
  #telling: { key: string; from: number } | undefined
  /** Where the outermost value ended. */
  #end: number | undefined

  /** Throws Unstructured for text that isn't JSON. */
  protected walk(chunk: string): void {
    this.scanner.scan(chunk, this)
    if (this.#end !== undefined && this.scanner.text.slice(this.#end).trim() !== '')
      throw new Unstructured(`goes on behind its end, line ${this.scanner.lineAt(this.#end)}`)
  }

  /** Drops the text before an index, as far as nothing else needs it; returns how much that was. */
  protected drop(before: number): number {
    const dropped = this.scanner.drop(Math.min(before, this.#telling?.from ?? before))
    if (this.#telling) this.#telling.from -= dropped
    if (this.#end !== undefined) this.#end -= dropped
    return dropped
  }

  get isEnded(): boolean {
    return this.#end !== undefined
  }

  open(isArray: boolean, at: number): void {
    if (this.#end !== undefined) throw new Unstructured(`goes on behind its end, line ${this.scanner.lineAt(at)}`)
    this.stack.push({ isArray, key: undefined })
    this.opened(isArray, at)
  }

  close(isArray: boolean, at: number): void {
    if (this.stack.at(-1)?.isArray !== isArray)
      throw new Unstructured(`isn't valid JSON, line ${this.scanner.lineAt(at)}: a bracket doesn't fit`)
    this.closing(at)
    if (this.stack.length === 1) this.#keepTold(at)
    this.stack.pop()
    if (this.stack.length === 0) this.#end = at + 1
  }

  comma(at: number): void {
    if (this.stack.length === 1) this.#keepTold(at)
    this.separated(at)
  }

  key(written: string, at: number): void {
    const top = this.stack.at(-1)
    if (!top || top.isArray) return
    top.key = unescaped(written)
    if (this.stack.length === 1 && tellingKeys.has(top.key)) this.#telling = { key: top.key, from: at + 1 }
    this.member(top.key, at)
  }

  protected opened(_isArray: boolean, _at: number): void {}
  protected closing(_at: number): void {}
  protected separated(_at: number): void {}
  protected member(_key: string, _at: number): void {}

  #keepTold(at: number): void {
    const open = this.#telling
    if (!open) return
    this.told.set(open.key, this.scanner.text.slice(open.from, at).trim())
    this.#telling = undefined
  }
}

function unescaped(written: string): string {
  try {
    return String(JSON.parse(`"${written}"`))
  } catch {
    return written
  }
}
