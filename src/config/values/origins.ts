/** Where each setting came from: a flag, a variable, a line of a file, a default. */

import { isTree, type Tree } from '../../tasks/json/tree.js'
import { type Lines, linesOf } from '../file/syntax.js'

export type Origin =
  | { readonly from: 'flag' | 'environment'; readonly name: string }
  | { readonly from: 'file'; readonly file: string; readonly line?: number }
  | { readonly from: 'default' }

/** `.owmrc.yaml:7`, `--set source.count`, `OWM_OUTBOX`, `default`. */
export function originInWords(origin: Origin): string {
  if (origin.from === 'file') return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`
  return origin.from === 'default' ? 'default' : origin.name
}

/** A configuration file as it was read. */
export interface Found {
  readonly tree: Tree
  readonly file: string
  /** Names of other configurations in its folder, which don't count. */
  readonly beside: readonly string[]
  /** Undefined for a module. */
  readonly text: string | undefined
  /** Where in the file the configuration begins: `owm` in a package.json. */
  readonly prefix: readonly string[]
}

/** Knows where each setting of one pipeline came from. */
export class Origins {
  /** The settings of flags, environment and file together. */
  merged: Tree
  readonly #found: Found | undefined
  readonly #pipeline: string | undefined
  readonly #noted = new Map<string, Origin>()
  #lines: Promise<Lines> | undefined

  constructor(found: Found | undefined, pipeline: string | undefined) {
    this.merged = found?.tree ?? {}
    this.#found = found
    this.#pipeline = pipeline
  }

  /** Notes that a flag or a variable gave the value at `path`. */
  note(path: readonly string[], origin: Origin): void {
    const key = path.join('.')
    for (const other of this.#noted.keys()) if (other.startsWith(`${key}.`)) this.#noted.delete(other)
    this.#noted.set(key, origin)
  }

  /** Whether a value comes from the sections that all pipelines share, or is a default. */
  isShared(path: readonly string[]): boolean {
    return !this.#notedAt(path) && at(this.#own, path) === undefined
  }

  /** Whether a flag or a variable gave the value. */
  isNoted(path: readonly string[]): boolean {
    return this.#notedAt(path) !== undefined
  }

  /** The origin of any setting. */
  async all(): Promise<(path: readonly string[]) => Origin> {
    const lines = await this.#linesOfFile()
    return (path) => this.#notedAt(path) ?? this.#inFile(path, lines) ?? { from: 'default' }
  }

  /** The place of a mistake in words: `in .owmrc.yaml:7`; for a missing key, the place of what should contain it. */
  async places(): Promise<(path: readonly string[]) => string> {
    const lines = await this.#linesOfFile()
    return (path) => {
      for (let length = path.length; length > 0; length--) {
        const part = path.slice(0, length)
        const origin = this.#notedAt(part) ?? this.#noted.get([...part, 'use'].join('.')) ?? this.#inFile(part, lines)
        if (origin) return origin.from === 'file' ? `in ${originInWords(origin)}` : `from ${originInWords(origin)}`
      }
      return this.#found ? `in ${this.#found.file}` : 'among the flags and the environment'
    }
  }

  async place(path: readonly string[]): Promise<string> {
    return (await this.places())(path)
  }

  /** The value in the file, with `${NAME}` unexpanded; undefined if it isn't from the file. */
  written(path: readonly string[]): unknown {
    const key = this.#notedAt(path) ? undefined : this.#keyInFile(path)
    return key && at(this.#found?.tree, key)
  }

  get #own(): unknown {
    return this.#pipeline === undefined ? undefined : at(this.#found?.tree, ['pipelines', this.#pipeline])
  }

  #notedAt(path: readonly string[]): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const noted = this.#noted.get(path.slice(0, length).join('.'))
      if (noted) return noted
    }
    return undefined
  }

  #inFile(path: readonly string[], lines: Lines): Origin | undefined {
    const key = this.#keyInFile(path)
    if (!key || !this.#found) return undefined
    const line = lines([...this.#found.prefix, ...key])
    return { from: 'file', file: this.#found.file, ...(line === undefined ? {} : { line }) }
  }

  /** The key in the file: in the pipeline's own part, or in the part for all. */
  #keyInFile(path: readonly string[]): readonly string[] | undefined {
    // Options of a plugin that wasn't chosen don't apply.
    if (at(this.merged, path) === undefined) return undefined
    if (this.#pipeline !== undefined && at(this.#own, path) !== undefined) return ['pipelines', this.#pipeline, ...path]
    return at(this.#found?.tree, path) === undefined ? undefined : path
  }

  #linesOfFile(): Promise<Lines> {
    const text = this.#found?.text
    this.#lines ??= text === undefined ? Promise.resolve(() => undefined) : linesOf(text)
    return this.#lines
  }
}

/** The value at a path; undefined if there is none. */
export function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner: unknown, key) => {
    if (Array.isArray(inner)) return inner[Number(key)]
    return isTree(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined
  }, value)
}
