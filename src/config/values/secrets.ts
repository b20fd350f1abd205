/** Which values of a section are secret, by its schema and by their names; and what of them must not be shown. */
import type * as z from 'zod'
import { SchemaPlace } from '../../plugins/schema.js'
import { ExactNumber } from '../../tasks/json/exact.js'
import { isObject } from '../../tasks/json/tree.js'
import { percentDecoded } from '../../words.js'
import { isSecretName, Secrets, secretsInUrl } from '../redact.js'

/**
 * A copy without its secrets: what the schema marks with `.meta({secret: true})`, what is named like a secret, and
 * passwords in URLs. With a schema, also the values of keys that it doesn't know: `tokn` may be a token.
 */
export function masked(value: unknown, type?: z.ZodType): unknown {
  return mask(value, type ? SchemaPlace.rootOf(type) : [], '')
}

/** `user:password@` before a host: a common mistake where only a host is expected. */
const loginOfHost = /^[^\s/@]*:(?!\/\/)[^\s@]*@(?=[^\s@]+$)/

/** A database file's path in place of an address: it isn't secret, and whoever corrects it needs to see it. */
const isFilePath = (key: string, value: unknown): boolean =>
  key === 'url' &&
  typeof value === 'string' &&
  /^(sqlite:(\/\/)?)?(\.{0,2}\/|[^/]+\.(db|sqlite3?|gpkg)$)[^@?=#:\s]*$/i.test(value)

const isSecretAt = (places: readonly SchemaPlace[], key: string, value: unknown): boolean =>
  !isFilePath(key, value) && (isSecretName(key) || places.some((place) => place.isSecret))

function mask(value: unknown, places: readonly SchemaPlace[], key: string): unknown {
  const isSecret = isSecretAt(places, key, value)
  if (typeof value === 'string')
    return isSecret ? withoutSecret(value) : new Secrets().redact(value).replace(loginOfHost, '***@')
  if (!isObject(value)) return isSecret && value !== undefined && value !== null ? '***' : value
  if (value instanceof ExactNumber) return isSecret ? '***' : value
  if (Array.isArray(value))
    return value.map((entry: unknown, index) =>
      mask(entry, SchemaPlace.under(places, String(index)), isSecret ? 'secret' : ''),
    )
  const hasKeys = places.some((place) => place.hasKeys)
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => {
      const known = SchemaPlace.under(places, name)
      return [name, mask(entry, known, isSecret || (hasKeys && known.length === 0) ? 'secret' : name)]
    }),
  )
}

/** What must not be shown of a value: what `masked` masks, but of a URL only the secret parts. */
export function secretsIn(value: unknown, type?: z.ZodType): string[] {
  const secrets: string[] = []
  const seen = new Set<unknown>()
  const visit = (value: unknown, places: readonly SchemaPlace[], key: string): void => {
    const isSecret = isSecretAt(places, key, value)
    if (typeof value === 'string') secrets.push(...secretsInUrl(value), ...(isSecret ? secretsInText(value) : []))
    else if ((typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber) && isSecret)
      secrets.push(String(value))
    else if (isObject(value) && !seen.has(value)) {
      seen.add(value)
      for (const [name, entry] of Object.entries(value))
        visit(entry, SchemaPlace.under(places, name), isSecret ? 'secret' : name)
    }
  }
  visit(value, type ? SchemaPlace.rootOf(type) : [], '')
  return secrets
}

/**
 * The same for what a schema makes of options: a token in base64 is as secret as the token. Defaults aren't, since
 * anyone can read them.
 */
export function secretsMade(made: unknown, given: object, type: z.ZodType): string[] {
  if (!isObject(made)) return []
  return secretsIn(Object.fromEntries(Object.entries(made).filter(([key]) => Object.hasOwn(given, key))), type)
}

/** Connection parameters in a query: an error about one of them is useless without its value. */
const harmless: ReadonlySet<string> = new Set(['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host'])

/**
 * The whole text. Of an address, whose host and path help to find a mistake, the query and those parts of the path
 * that look like tokens.
 */
function secretsInText(text: string): string[] {
  if (!URL.canParse(text) || new URL(text).host === '') return [text]
  const { origin, pathname, search, searchParams, href } = new URL(text)
  const tokens = pathname
    .split('/')
    .filter(isToken)
    .flatMap((part) => [part, percentDecoded(part)])
  if (href === `${origin}${pathname}`) return tokens
  const isHarmless = [...searchParams.keys()].every((name) => harmless.has(name))
  return [text, ...tokens, ...(isHarmless ? [] : [search.slice(1)])]
}

/** Long, with a digit, and not made of words: `geonames-all-cities-1000` is the name of a list. */
function isToken(part: string): boolean {
  const meant = percentDecoded(part)
  if (meant.length < 16 || meant.includes('.') || !/\d/.test(meant)) return false
  const words = meant.split(/[-_ /]/)
  return words.length === 1 || !words.every((word) => /^(\p{L}{1,15}\d{0,2}|\d{1,8})$/u.test(word))
}

/** Masks the secret parts of an address, whose rest helps to find a mistake; and any other text as a whole. */
function withoutSecret(value: string): string {
  if (!URL.canParse(value)) return '***'
  const { protocol, username, password, host, pathname } = new URL(value)
  if (host === '' || /[@?#]/.test(value.slice(value.indexOf('://') + 3).replace(/^[^/@]*@/, ''))) return '***'
  return `${protocol}//${username || password ? '***@' : ''}${host}${/^\/?\d*$/.test(pathname) ? pathname : '/***'}`
}
