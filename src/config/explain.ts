/** Turns a schema's issues into errors: which key, where it stands, what is there, what is expected. */
import type * as z from 'zod'
import { ConfigurationError, ConfigurationErrors } from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { SchemaPlace } from '../plugins/schema.js'
import { ExactNumber } from '../tasks/json/exact.js'
import { isObject } from '../tasks/json/tree.js'
import { clipped, percentDecoded } from '../words.js'
import { isSecretName, Secrets, secretsInUrl } from './redact.js'
import { commonKeys } from './schema.js'
import { at } from './values/origins.js'

interface Explained {
  /** The value that was checked, and its schema. */
  readonly value: unknown
  readonly type: z.ZodType
  /** The key that the value stands under; empty for the whole configuration. */
  readonly prefix: readonly string[]
  /** Where a key stands: `in .owmrc.yaml:7`. */
  placeOf(path: readonly string[]): string
  /** Never shown, wherever they occur. */
  readonly secrets: Secrets
}

/** Everything that is wrong, in one error. */
export function explain(error: z.ZodError, about: Explained): ConfigurationError {
  const all = error.issues.flatMap(ofNearestForm).flatMap((issue) => mistakes(issue, about))
  const [first] = all
  return first && all.length === 1
    ? new ConfigurationError(first.message, { hint: first.hint ?? 'Correct this value.', section: first.section })
    : new ConfigurationErrors(all)
}

type Issue = z.core.$ZodIssue

/** The issues of the nearest form, for a value that may have several. */
function ofNearestForm(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const branches = issue.errors.map((branch) =>
    branch.flatMap((inner) => ofNearestForm({ ...inner, path: [...issue.path, ...inner.path] })),
  )
  const types = branches.map(([inner, ...others]) =>
    inner?.code === 'invalid_type' && others.length === 0 && inner.path.length === issue.path.length
      ? inner.expected
      : undefined,
  )
  if (types.every((type) => type !== undefined))
    return [{ ...issue, message: `Invalid input: expected ${[...new Set(types)].join(' or ')}` }]
  const depth = (branch: readonly Issue[]): number => Math.max(...branch.map(({ path }) => path.length))
  return branches
    .filter((_, index) => types[index] === undefined)
    .reduce((best, next) => (depth(next) > depth(best) ? next : best))
}

function mistakes(issue: Issue, about: Explained): ConfigurationError[] {
  return issue.code === 'unrecognized_keys' ? unknownKeys(issue, about) : [wrongValue(issue, about)]
}

function unknownKeys(
  issue: z.core.$ZodIssueUnrecognizedKeys,
  { type, prefix, placeOf }: Explained,
): ConfigurationError[] {
  const path = issue.path.map(String)
  const [section = '', ...deeper] = [...prefix, ...path]
  const isOfPlugin = prefix.length > 0 && deeper.length === 0 && (section === 'source' || section === 'sink')
  const known = SchemaPlace.rootOf(type)
    .flatMap((root) => root.at(path))
    .flatMap(({ keys }) => keys)
    .concat(isOfPlugin ? commonKeys[section] : [])
  return issue.keys.map((unknown) => {
    const key = [...prefix, ...path, unknown]
    const near = nearest(unknown, known)
    const hint =
      unknown === ''
        ? 'YAML reads `null:` and `~:` as a key without a name: write it in quotes.'
        : near
          ? `Did you mean \`${near}\`?`
          : `Known keys here: ${known.join(', ') || 'none'}.`
    return new ConfigurationError(`${key.join('.')} ${placeOf(key)} is not a known key.`, { hint, section: key[0] })
  })
}

function wrongValue(issue: Issue, { value, type, prefix, placeOf, secrets }: Explained): ConfigurationError {
  const path = issue.path.map(String)
  const full = [...prefix, ...path]
  const found = at(value, path)
  // In a value of the wrong form any part may be the secret; in an invalid address the password may be anywhere.
  const isPlain = ['string', 'number', 'boolean'].includes(typeof found) && at(masked(value, type), path) === found
  const shown = isPlain ? JSON.stringify(found) : ''
  const hasSecret = secrets.isIn(shown) || /:[^\s@]*@/.test(shown) // user:password@host
  const actual = shown === '' || hasSecret ? '' : ` (it is ${clipped(shown, 200)})`
  // The names of the forms, for a value with several.
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : []
  const wanted = issue.code === 'invalid_value' ? issue.values.map(String) : options
  const message = options.length > 0 ? `Invalid option: expected one of ${options.join('|')}` : issue.message
  if (issue.code === 'invalid_key')
    return new ConfigurationError(
      `${full.join('.')} ${placeOf(full)} has a wrong name: ${issue.issues.map((inner) => inner.message).join('; ')}.`,
      { hint: "Give it another name; its value isn't the problem.", section: full[0] },
    )
  const near = typeof found === 'string' ? nearest(found, wanted) : undefined
  const expected = issue.code === 'invalid_type' ? `of type ${issue.expected}` : wanted.join(' or ')
  if (found === undefined && path.length > 0 && expected !== '')
    return new ConfigurationError(`${full.join('.')} is missing ${placeOf(full)}: it must be ${expected}.`, {
      hint: `Add it, in the configuration or by \`--set ${full.join('.')}=…\`.`,
      section: full[0],
    })
  return new ConfigurationError(
    `${full.join('.') || 'the configuration'} ${placeOf(full)} is wrong: ${message}${actual}.`,
    { hint: near ? `Did you mean \`${near}\`?` : otherForm(issue, found, full), section: full[0] },
  )
}

/** How to write a value that has the wrong type; undefined if that isn't known. */
function otherForm(issue: Issue, found: unknown, path: readonly string[]): string | undefined {
  if (issue.code !== 'invalid_type' || typeof found !== 'string') return undefined
  const [key = ''] = path
  if (issue.expected === 'boolean' && /^(yes|on|y)$/i.test(found)) return 'Write `true`.'
  if (issue.expected === 'boolean' && /^(no|off|n)$/i.test(found)) return 'Write `false`.'
  if (['boolean', 'number'].includes(issue.expected) && /^(true|false|-?\d+(\.\d+)?)$/.test(found))
    return `It is text: take it out of its quotes. From a variable: \`--set "${path.join('.')}=$VARIABLE"\`.`
  if (issue.expected === 'object' && path.length === 1 && ['source', 'sink', 'outbox'].includes(key))
    return `Write \`${key}: {${key === 'outbox' ? 'path' : 'use'}: …}\`.`
  return undefined
}

// --- secrets ---

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

function mask(value: unknown, places: readonly SchemaPlace[], key: string): unknown {
  const isSecret = !isFilePath(key, value) && (isSecretName(key) || places.some((place) => place.isSecret))
  if (typeof value === 'string')
    return isSecret ? withoutSecret(value) : new Secrets().redact(value).replace(loginOfHost, '***@')
  if (!isObject(value)) return isSecret && value !== undefined && value !== null ? '***' : value
  if (value instanceof ExactNumber) return isSecret ? '***' : value
  const inner = (name: string): SchemaPlace[] => places.flatMap((place) => place.at([name]))
  if (Array.isArray(value))
    return value.map((entry: unknown, index) => mask(entry, inner(String(index)), isSecret ? 'secret' : ''))
  const hasKeys = places.some((place) => place.hasKeys)
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => {
      const known = inner(name)
      return [name, mask(entry, known, isSecret || (hasKeys && known.length === 0) ? 'secret' : name)]
    }),
  )
}

/** What must not be shown of a value: what `masked` masks, but of a URL only the secret parts. */
export function secretsIn(value: unknown, type?: z.ZodType): string[] {
  const secrets: string[] = []
  const seen = new Set<unknown>()
  const visit = (value: unknown, places: readonly SchemaPlace[], key: string): void => {
    const isSecret = !isFilePath(key, value) && (isSecretName(key) || places.some((place) => place.isSecret))
    if (typeof value === 'string') secrets.push(...secretsInUrl(value), ...(isSecret ? secretsInText(value) : []))
    else if ((typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber) && isSecret)
      secrets.push(String(value))
    else if (isObject(value) && !seen.has(value)) {
      seen.add(value)
      for (const [name, entry] of Object.entries(value))
        visit(
          entry,
          places.flatMap((place) => place.at([name])),
          isSecret ? 'secret' : name,
        )
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
