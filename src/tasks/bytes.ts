/**
 * Builds text as UTF-8 in a reused buffer. Joining a task's two dozen pieces as
 * strings took half as long again, and they lived just long enough to be moved
 * twice by the garbage collector.
 */
const [quote, backslash, hyphen, point, zero] = [0x22, 0x5c, 0x2d, 0x2e, 0x30]

/** Up to this many bytes, a loop is faster than a call. */
const fewBytes = 24

export class Utf8 {
  /** The number of bytes written; may be set back. */
  end = 0
  #bytes: Buffer

  constructor(size: number) {
    this.#bytes = Buffer.alloc(size)
  }

  /** Makes room for `more` bytes. The other methods don't grow the buffer. */
  reserve(more: number): void {
    if (this.end + more <= this.#bytes.length) return
    this.#bytes = Buffer.concat([this.written()], 2 * (this.end + more))
  }

  put(more: Uint8Array): void {
    const bytes = this.#bytes
    const { end } = this
    // A loop here and below: for so few bytes a call takes longer.
    if (more.length > fewBytes) bytes.set(more, end)
    else for (let index = 0; index < more.length; index++) bytes[end + index] = more[index] ?? 0
    this.end = end + more.length
  }

  /** Appends the bytes `from` to `to` (excluded) of another buffer. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    this.#bytes.set(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from), this.end)
    this.end += to - from
  }

  /** Throws RangeError if it doesn't fit: Node's `write` would truncate it. */
  text(text: string): void {
    const bytes = this.#bytes
    const { end } = this
    if (end + 3 * text.length > bytes.length && end + Buffer.byteLength(text) > bytes.length)
      throw new RangeError(`There is no room for ${text.length} more characters.`)
    if (text.length > 1000) {
      this.end = end + bytes.write(text, end)
      return
    }
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) {
        this.end = end + bytes.write(text, end)
        return
      }
      bytes[end + index] = code
    }
    this.end = end + text.length
  }

  /** A string or a finite number as JSON; a bigint with all its digits. */
  json(value: string | number | bigint): void {
    if (typeof value === 'number') this.number(value)
    else if (typeof value === 'bigint') this.text(String(value))
    else this.quoted(value)
  }

  /** A string as JSON. */
  quoted(text: string): void {
    const bytes = this.#bytes
    const start = this.end + 1
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code < 0x20 || code > 0x7f || code === quote || code === backslash) {
        this.text(JSON.stringify(text))
        return
      }
      bytes[start + index] = code
    }
    bytes[start - 1] = quote
    bytes[start + text.length] = quote
    this.end = start + text.length + 1
  }

  /** A finite number as JSON. */
  number(value: number): void {
    const size = Math.abs(value)
    const millionths = Math.round(size * 1e6)
    // Doubles are precise to more than nine digits, so these (at most six of them decimals) are the shortest text
    // of this one. For coordinates this takes a tenth of the time of `String`.
    if (millionths > 999_999_999 || millionths / 1e6 !== size) {
      this.text(String(value))
      return
    }
    const bytes = this.#bytes
    let { end } = this
    if (value < 0) bytes[end++] = hyphen
    let rest = millionths
    let unit = 1e8
    while (unit > 1e6 && rest < unit) unit /= 10
    for (; unit >= 1e6 || rest > 0; unit /= 10) {
      if (unit === 1e5) bytes[end++] = point
      const digit = Math.trunc(rest / unit)
      bytes[end++] = zero + digit
      rest -= digit * unit
    }
    this.end = end
  }

  /** The UUIDv5 of the first 32 hexadecimal digits of a SHA-1: 36 characters (RFC 9562, 5.5). */
  uuid(digits: string): void {
    const bytes = this.#bytes
    const { end } = this
    for (let at = 0, digit = 0; at < 36; at++)
      bytes[end + at] = at === 8 || at === 13 || at === 18 || at === 23 ? hyphen : digits.charCodeAt(digit++)
    bytes[end + 14] = '5'.charCodeAt(0)
    // The variant takes the upper two bits of a digit; its lower two are those of its character code, for a to f of
    // the code plus one.
    const code = digits.charCodeAt(16)
    bytes[end + 19] = '89ab'.charCodeAt((code > 0x60 ? code + 1 : code) & 3)
    this.end = end + 36
  }

  /** A view of the bytes written; `reserve` may reallocate the buffer behind it. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.end)
  }

  toString(start = 0): string {
    return this.#bytes.toString('utf8', start, this.end)
  }
}
