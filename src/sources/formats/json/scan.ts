/** The structure of a JSON text, chunk by chunk: brackets, commas and keys. What is between them isn't parsed. */

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

/** Is called for each of them; `at` is an index in the scanner's text. */
export interface Visitor {
  open(isArray: boolean, at: number): void
  close(isArray: boolean, at: number): void
  comma(at: number): void
  /** A string before a colon, as written between its quotes, and the colon's index. */
  key(written: string, at: number): void
}

export class Scanner {
  /** What was scanned and not dropped yet. */
  text = ''
  /** Whether there was a string, number or literal between the last two calls of the visitor. */
  hasValue = false
  /** Where scanning goes on. */
  #at = 0
  #isInString = false
  /** The latest string, while it may still be a key. */
  #string: { start: number; end: number } | undefined
  /** An index, and its line, from 1. */
  #counted = { at: 0, line: 1 }

  scan(chunk: string, visitor: Visitor): void {
    this.text += chunk
    const { text } = this
    let { hasValue } = this
    let at = this.#at
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (this.#isInString) {
        if (code === backslash) at++
        else if (code === quote) {
          this.#isInString = false
          if (this.#string) this.#string.end = at
        }
      } else if (code === quote) {
        this.#isInString = true
        this.#string = { start: at + 1, end: at + 1 }
        hasValue = true
      } else if (isStructural(code)) {
        this.hasValue = hasValue
        this.#visit(code, at, visitor)
        hasValue = false
      } else if (code > 0x20) hasValue = true
    }
    this.#at = at
    this.hasValue = hasValue
  }

  #visit(code: number, at: number, visitor: Visitor): void {
    if (code === comma) visitor.comma(at)
    else if (code === colon) visitor.key(this.text.slice(this.#string?.start, this.#string?.end), at)
    else if (code === openBrace || code === openBracket) visitor.open(code === openBracket, at)
    else visitor.close(code === closeBracket, at)
    this.#string = undefined
  }

  /** Drops the text before an index, except a string that may be a key; returns how much that was. */
  drop(before: number): number {
    const to = Math.min(before, this.#string?.start ?? before, this.text.length)
    this.lineAt(to)
    this.text = this.text.slice(to)
    this.#at -= to
    this.#counted.at -= to
    if (this.#string) this.#string = { start: this.#string.start - to, end: this.#string.end - to }
    return to
  }

  /** The line of an index; indexes must be asked for in ascending order. */
  lineAt(index: number): number {
    const counted = this.#counted
    if (index < counted.at) return counted.line
    for (let at = this.text.indexOf('\n', counted.at); at >= 0 && at < index; at = this.text.indexOf('\n', at + 1))
      counted.line++
    counted.at = index
    return counted.line
  }
}

const isStructural = (code: number): boolean =>
  code === comma ||
  code === colon ||
  code === openBrace ||
  code === closeBrace ||
  code === openBracket ||
  code === closeBracket
