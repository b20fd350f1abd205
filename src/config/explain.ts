/** What a schema says against a value, in words: which key, where it stands, what is there, what should be. */
import { z } from 'zod'
import { ConfigurationError, ConfigurationErrors } from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { at } from './origins.js'
import { redactor } from './redact.js'

export interface Explained {
  /** The value that was checked, and its schema. */
  readonly value: unknown
  readonly type: z.ZodType
  /** The key that it stands under; empty for the whole configuration. */
  readonly prefix: readonly string[]
  /** Where a key stands: `in .owmrc.yaml:7`. */
  placeOf(path: readonly string[]): string
  /** Not to be shown, wherever they occur. */
  readonly secrets: readonly string[]
}

/** Everything that is wrong, in one error. */
export function explain(error: z.ZodError, about: Explained): ConfigurationError {
  const all = error.issues.flatMap(settled).flatMap((issue) => mistakes(issue, about))
  const [first] = all
  return first && all.length === 1
    ? new ConfigurationError(first.message, { hint: first.hint ?? 'Correct this value.' })
    : new ConfigurationErrors(all)
}

type Issue = z.core.$ZodIssue

/** Of a value that may have several forms: what is wrong with the one that it comes nearest to. */
function settled(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const branches = issue.errors.map((branch) =>
    branch.flatMap((inner) => settled({ ...inner, path: [...issue.path, ...inner.path] })),
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

function mistakes(issue: Issue, { value, type, prefix, placeOf, secrets }: Explained): ConfigurationError[] {
  const path = issue.path.map(String)
  const full = [...prefix, ...path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((unknown) => {
      const known = knownKeys(typesAt([type], path))
      const near = nearest(unknown, known)
      return new ConfigurationError(
        `${[...full, unknown].join('.')} ${placeOf([...full, unknown])} is not a known key.`,
        {
          hint: near ? `Did you mean \`${near}\`?` : `Known keys here: ${known.join(', ') || 'none'}.`,
        },
      )
    })
  const key = full.join('.') || 'the configuration'
  const found = at(value, path)
  // Of what has the wrong form nobody knows where its secrets are; of a wrong address not even which part is the password.
  const isPlain = ['string', 'number', 'boolean'].includes(typeof found) && at(masked(value, [type]), path) === found
  const shown = isPlain ? JSON.stringify(found) : ''
  // Said by what holds several forms: the names that tell them apart.
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : []
  const wanted = issue.code === 'invalid_value' ? issue.values.map(String) : options
  const message = options.length > 0 ? `Invalid option: expected one of ${options.join('|')}` : issue.message
  const tells = shown === '' || secrets.some((secret) => shown.includes(JSON.stringify(secret).slice(1, -1)))
  const near = typeof found === 'string' ? nearest(found, wanted) : undefined
  return [
    new ConfigurationError(
      `${key} ${placeOf(full)} is wrong: ${message}${tells ? '' : ` (it is ${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown})`}.`,
      near ? { hint: `Did you mean \`${near}\`?` } : {},
    ),
  ]
}

// --- secrets ---

/** Keys that a plugin's author may have forgotten to mark. */
const secretName = /passw|secret|token|api[-_]?key|authorization|credential/i

/** A copy without its secrets: what a schema marks with `.meta({secret: true})`, what is called like one, passwords in URLs. */
export function masked(value: unknown, types: readonly unknown[], key = ''): unknown {
  if (typeof value !== 'object' || value === null) {
    if (typeof value !== 'string') return secretName.test(key) && value !== undefined && value !== null ? '***' : value
    return secretName.test(key) || types.some(isMarked) ? withoutSecret(value) : redactor([])(value)
  }
  const inner = secretName.test(key) || types.some(isMarked) ? 'secret' : undefined
  if (Array.isArray(value))
    return value.map((entry: unknown, index) => masked(entry, typesAt(types, [String(index)]), inner))
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, masked(entry, typesAt(types, [name]), inner ?? name)]),
  )
}

/** Of a secret address, such as a server's with its password, the rest may be known, and helps. */
function withoutSecret(value: string): string {
  if (!URL.canParse(value)) return '***'
  const { protocol, username, password, host, pathname } = new URL(value)
  if (host === '' || /[@?#]/.test(value.slice(value.indexOf('://') + 3).replace(/^[^/@]*@/, ''))) return '***'
  return `${protocol}//${username || password ? '***@' : ''}${host}${/^\/?\d*$/.test(pathname) ? pathname : '/***'}`
}

const isMarked = (type: unknown): boolean => layers(type).some((layer) => layer.meta()?.['secret'] === true)

// --- schemas ---

/** The types that may stand at a path: several where a union leaves it open. */
function typesAt(types: readonly unknown[], path: readonly string[]): unknown[] {
  return path.reduce<unknown[]>(
    (at, part) =>
      at.flatMap(forms).flatMap((type): unknown[] => {
        if (type instanceof z.ZodObject)
          return Object.hasOwn(type.shape, part) ? [type.shape[part]] : type.def.catchall ? [type.def.catchall] : []
        if (type instanceof z.ZodRecord) return [type.valueType]
        if (type instanceof z.ZodArray) return [type.element]
        return type instanceof z.ZodTuple ? [type.def.items[Number(part)]] : []
      }),
    [...types],
  )
}

const knownKeys = (types: readonly unknown[]): string[] => [
  ...new Set(types.flatMap(forms).flatMap((type) => (type instanceof z.ZodObject ? Object.keys(type.shape) : []))),
]

/** The types behind defaults, transformations and unions. */
function forms(type: unknown): z.ZodType[] {
  const last = layers(type).at(-1)
  if (last instanceof z.ZodUnion) return last.options.flatMap(forms)
  return last instanceof z.ZodIntersection ? [last.def.left, last.def.right].flatMap(forms) : last ? [last] : []
}

/** A type, what it wraps, what that wraps, and so on. */
function layers(type: unknown): z.ZodType[] {
  if (!(type instanceof z.ZodType)) return []
  if (type instanceof z.ZodPipe) return [type, ...layers(type.in instanceof z.ZodTransform ? type.out : type.in)]
  const wraps =
    type instanceof z.ZodDefault ||
    type instanceof z.ZodPrefault ||
    type instanceof z.ZodOptional ||
    type instanceof z.ZodNullable ||
    type instanceof z.ZodReadonly ||
    type instanceof z.ZodCatch ||
    type instanceof z.ZodLazy
  return wraps ? [type, ...layers(type.unwrap())] : [type]
}
