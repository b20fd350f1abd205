/**
 * Bytes from a database. In an id or an extra key they are written as hex digits; a name or a number is never read
 * from those, as it would be another one.
 */
export class HexBytes {
  readonly #digits: string

  constructor(bytes: Buffer) {
    this.#digits = bytes.toString('hex')
  }

  toString(): string {
    return this.#digits
  }

  toJSON(): string {
    return this.#digits
  }
}
