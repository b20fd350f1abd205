/** Keeps secrets out of everything that is printed. */
import { isObject } from '../tasks/json/tree.js'
import { percentDecoded } from '../words.js'

/** Shorter values would mask half of every text. */
const shortest = 4

/** Names of keys and variables that hold a secret, even if they aren't marked. */
const secretName = /passw|passphrase|pwd|secret|token|api[-_]?key|authorization|credential|private[-_]?key/i

export const isSecretName = (name: string): boolean => secretName.test(name)

/** User and password in any URL but the placeholder, `redis://user:password@host`. */
const credentials = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}:\/\/)(?!user:password@)[^\s/@"']*@/gi

/** A private key as PEM, even if a certificate is expected, or its end is cut off. */
const privateKey = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g

/** A query parameter. */
const parameter = /([?&]([\w.~[\]-]{1,64}))=([^\s&#"'<>`]+)/g

/** Each form of a secret, with its search table. */
type Words = Map<string, Uint32Array>

/** The values that must not be shown. */
export class Secrets {
  readonly #known: Words = new Map()
  readonly #suspected: Words = new Map()

  /** Notes secrets; those with several lines line by line, too. */
  add(...values: readonly string[]): void {
    addForms(this.#known, values)
  }

  /** Notes values that may turn out to be secrets. */
  suspect(...values: readonly string[]): void {
    addForms(this.#suspected, values)
  }

  /** Drops values that were only suspected; known secrets stay. */
  clear(...values: readonly string[]): void {
    for (const form of values.flatMap(formsOf)) this.#suspected.delete(form)
  }

  isIn(text: string): boolean {
    return this.#words.some(([word, borders]) => places(text, word, borders).length > 0)
  }

  /** The text with `***` for each secret, also for keys and those in URLs. Linear in the length of the text. */
  redact(text: string): string {
    const matches = this.#words.flatMap(([word, borders]) => places(text, word, borders))
    let [clean, end] = ['', 0]
    for (const [from, to] of matches.sort(([a], [b]) => a - b)) {
      if (from >= end) clean += `${text.slice(end, from)}***`
      end = Math.max(end, to)
    }
    return (clean + text.slice(end))
      .replace(credentials, '$1***@')
      .replace(privateKey, '***')
      .replace(parameter, (all, start: string, name: string) => (holdsSecret(name) ? `${start}=***` : all))
  }

  get #words(): [string, Uint32Array][] {
    return [...this.#known, ...this.#suspected]
  }
}

function addForms(words: Words, values: readonly string[]): void {
  for (const form of values.flatMap(formsOf))
    if (form.length >= shortest && !words.has(form)) words.set(form, bordersOf(form))
}

/** A value and each of its lines: as it is, percent-encoded, and escaped as in JSON. */
function formsOf(value: string): string[] {
  return [...new Set([value, ...value.split(/\r?\n/)])].flatMap((text) => {
    const inJson = JSON.stringify(text).slice(1, -1)
    return text.isWellFormed() ? [text, encodeURIComponent(text), inJson] : [text, inJson]
  })
}

/**
 * Where a word occurs in a text, by Knuth, Morris and Pratt: the engine's own search takes the product of both lengths
 * for texts such as "aaaa…", which an attacker may send.
 */
function places(text: string, word: string, borders: Uint32Array): [from: number, to: number][] {
  const matches: [number, number][] = []
  for (let at = 0, matched = 0; at < text.length; at++) {
    while (matched > 0 && text.charCodeAt(at) !== word.charCodeAt(matched)) matched = borders[matched - 1] ?? 0
    if (text.charCodeAt(at) === word.charCodeAt(matched)) matched++
    if (matched < word.length) continue
    matches.push([at + 1 - word.length, at + 1])
    matched = borders[matched - 1] ?? 0
  }
  return matches
}

/** For each prefix of a word, the length of its longest proper prefix that is also its suffix. */
function bordersOf(word: string): Uint32Array {
  const borders = new Uint32Array(word.length)
  for (let at = 1, length = 0; at < word.length; at++) {
    while (length > 0 && word.charCodeAt(at) !== word.charCodeAt(length)) length = borders[length - 1] ?? 0
    if (word.charCodeAt(at) === word.charCodeAt(length)) length++
    borders[at] = length
  }
  return borders
}

/** Query parameters that hold a secret, besides those named like one: `appid=…`, `sig=…`. */
const secretParameter = /^(.*key|appid|app_id|sig|signature|auth|access|code|session)$/i
/** Whether a query parameter holds a secret. */
export const holdsSecret = (name: string): boolean => isSecretName(name) || secretParameter.test(name)

/** The secrets in a URL: its password, as written and decoded, and its secret query parameters. */
export function secretsInUrl(text: string): string[] {
  if (!URL.canParse(text)) return []
  const { password, searchParams } = new URL(text)
  const parameters = [...searchParams].filter(([name]) => holdsSecret(name))
  return [...(password === '' ? [] : [password, percentDecoded(password)]), ...parameters.map(([, value]) => value)]
}

/**
 * The addresses in a section of any shape, and their paths: whoever knows a check's address can silence it, and
 * NODE_DEBUG logs the path alone.
 * @param own paths of files and folders: a part of one, such as `/weather`, can't be kept out of what is printed
 */
export function addressesIn(section: unknown, ...own: readonly string[]): string[] {
  if (isObject(section)) return Object.values(section).flatMap((each) => addressesIn(each, ...own))
  if (typeof section !== 'string' || !/^https?:/.test(section) || !URL.canParse(section)) return []
  const { pathname, search } = new URL(section)
  const isOwn = (path: string): boolean => own.some((each) => each.includes(path))
  return [section, ...[pathname, `${pathname}${search}`].filter((path) => path.length >= 8 && !isOwn(path))]
}

/** A URL without its password and without query parameters named like a secret; any other text unchanged. */
export function withoutCredentials(text: string): string {
  if (secretsInUrl(text).length === 0) return text
  const url = new URL(text)
  url.password = ''
  for (const name of [...url.searchParams.keys()]) if (isSecretName(name)) url.searchParams.delete(name)
  return url.href
}
