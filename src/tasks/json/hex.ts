/**
 * Bytes of a database. In an id or an extra key they are their hex digits; no name and no number is read from those:
 * it would be another one.
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
