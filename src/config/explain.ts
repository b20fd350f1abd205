/** Turns a schema's issues into errors: which key, where it stands, what is there, what is expected. */
import type * as z from 'zod'
import { ConfigurationError, ConfigurationErrors } from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { SchemaPlace } from '../plugins/schema.js'
import { clipped } from '../words.js'
import type { Secrets } from './redact.js'
import { commonKeys } from './schema.js'
import { at } from './values/origins.js'
import { masked } from './values/secrets.js'

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
