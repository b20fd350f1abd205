/** The structure of a JSON text, chunk by chunk: brackets, commas, keys. What stands between them isn't looked at. */

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

/** What is told as it is found; `at` is a place in the scanner's text. */
export interface Visitor {
  open(isArray: boolean, at: number): void
  close(isArray: boolean, at: number): void
  comma(at: number): void
  /** A string before a colon, as it is written between its quotes, and the colon's place. */
  key(written: string, at: number): void
}

export class Scanner {
  /** What was scanned and may still be asked for. */
  text = ''
  /** Whether a value that is no bracket stood between the last two things that were told. */
  hasValue = false
  /** Where the text is looked at next. */
  #at = 0
  #isInString = false
  /** The latest string, where it may still be a key. */
  #string: { start: number; end: number } | undefined
  /** A place, and its line, from 1. */
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
        this.#tell(code, at, visitor)
        hasValue = false
      } else if (code > 0x20) hasValue = true
    }
    this.#at = at
    this.hasValue = hasValue
  }

  #tell(code: number, at: number, visitor: Visitor): void {
    if (code === comma) visitor.comma(at)
    else if (code === colon) visitor.key(this.text.slice(this.#string?.start, this.#string?.end), at)
    else if (code === openBrace || code === openBracket) visitor.open(code === openBracket, at)
    else visitor.close(code === closeBracket, at)
    this.#string = undefined
  }

  /** Lets go of the text before a place, but for a string that may be a key; says how much that was. */
  drop(before: number): number {
    const to = Math.min(before, this.#string?.start ?? before, this.text.length)
    this.lineAt(to)
    this.text = this.text.slice(to)
    this.#at -= to
    this.#counted.at -= to
    if (this.#string) this.#string = { start: this.#string.start - to, end: this.#string.end - to }
    return to
  }

  /** The line of a place; places are asked for in their order. */
  lineAt(place: number): number {
    const counted = this.#counted
    if (place < counted.at) return counted.line
    for (let at = this.text.indexOf('\n', counted.at); at >= 0 && at < place; at = this.text.indexOf('\n', at + 1))
      counted.line++
    counted.at = place
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
