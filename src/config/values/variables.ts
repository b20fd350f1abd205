/** Replaces `${NAME}` with a variable's value, `${file:PATH}` with a secret file's text, `$${` with a plain `${`. */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type * as z from 'zod'
import { ConfigurationError, ConfigurationErrors, toError } from '../../errors/index.js'
import { hookVariable } from '../../observe/ended.js'
import { SchemaPlace } from '../../plugins/schema.js'
import { ExactNumber } from '../../tasks/json/exact.js'
import { isObject, isTree } from '../../tasks/json/tree.js'
import { utf8Of } from '../file/encoding.js'
import { isSecretName, type Secrets } from '../redact.js'
import type { Origins } from './origins.js'

/** Maximum nesting: much deeper values overflow the stack somewhere. */
const maxDepth = 500

/** Refers to a file, or to an environment variable. */
export const referencePattern = String.raw`\$\{file:((?:\$\{\w+\}|[^}])+)\}|\$\{([A-Za-z_][A-Za-z0-9_]*)\}`
/** A reference, a plain `${`, or what may have been meant as a reference. */
const reference = new RegExp(String.raw`\$\$\{|${referencePattern}|(\$\{[^}]*\}?)`, 'g')
/** References in the syntax of other programs: `${ NAME }`, `${env:NAME}`, `${NAME:-default}`. */
const foreign = /^\$\{\s*(?:env:)?[A-Z_][A-Z0-9_]*\s*(?=:?[-+?=}])/
/** systemd's folder of secrets, at the start of a path. */
const credentials = /^\$(?:CREDENTIALS_DIRECTORY|\{CREDENTIALS_DIRECTORY\})(?=\/)/

/** Makes the error for a value; `at` is its key and where it stands. */
type Problem = (at: string, section: string | undefined) => ConfigurationError

/** The environment's variables; not `NodeJS.ProcessEnv`, so that owm's types need no other package. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A value from the environment, and where it went. */
export interface Variable {
  readonly path: readonly string[]
  readonly value: string
}

/** Where the values come from, and where the secrets among them are noted. */
interface Context {
  env: Environment
  secrets: Secrets
  /** Where relative paths start. */
  baseDir: string
  /** Sections that the command doesn't use: their variables needn't be set. */
  unused: readonly string[]
  /** Paths of values that are left unexpanded, with what stands under them. */
  asWritten: ReadonlyArray<readonly string[]>
}

/** What the file refers to. */
export interface References {
  /** Environment variables. */
  readonly names: ReadonlySet<string>
  /** Paths of secret files, as written. */
  readonly files: ReadonlySet<string>
}

/**
 * The pipeline's sections with their references replaced; the values aren't expanded again. Each value is noted in
 * `secrets`: as a secret, or as suspected until a schema says that its place holds none. Throws ConfigurationError.
 */
export async function expand(
  origins: Origins,
  context: Context,
): Promise<{ tree: Record<string, unknown>; variables: readonly Variable[]; references: References }> {
  const expansion = new Expansion(context)
  const tree = expansion.of(origins.merged, [])
  if (expansion.problems.size > 0) {
    const placeOf = await origins.places()
    const errors = [...expansion.problems].map(([path, problem]) =>
      problem(`${path.join('.')} ${placeOf(path)}`, path[0]),
    )
    throw errors.length === 1 ? errors[0] : new ConfigurationErrors(errors)
  }
  const { variables, names, files } = expansion
  return { tree: isTree(tree) ? tree : {}, variables, references: { names, files } }
}

/** Not even where any key is allowed: what checks the values drops this one. */
const notAKey: Problem = (at, section) =>
  new ConfigurationError(`${at} is not a known key.`, { hint: 'Take it out: no setting has this name.', section })

const noCredentials: Problem = (at, section) => {
  const hint = 'systemd sets it for a service with LoadCredential; elsewhere, set it to a folder with the files.'
  const message = `${at} needs the environment variable CREDENTIALS_DIRECTORY, which isn't set.`
  return new ConfigurationError(message, { hint, section })
}

/** Whether a value is in a hook's command. */
const isOfHook = (path: readonly string[]): boolean => path[0] === 'notify' && path.includes('command')

class Expansion {
  readonly problems = new Map<readonly string[], Problem>()
  readonly variables: Variable[] = []
  readonly names = new Set<string>()
  readonly files = new Set<string>()
  readonly #context: Context
  // With YAML aliases one object may stand in many places, or contain itself.
  readonly #done = new Map<object, unknown>()
  readonly #inside = new Set<object>()

  constructor(context: Context) {
    this.#context = context
  }

  of(value: unknown, path: readonly string[]): unknown {
    if (typeof value === 'string') return this.#text(value, path)
    if (!isObject(value)) return value
    if (this.#done.has(value)) return this.#done.get(value)
    if (this.#inside.has(value)) {
      const hint = 'Look for an alias that refers to what it stands in.'
      this.problems.set(path, (at, section) => new ConfigurationError(`${at} contains itself.`, { hint, section }))
      return undefined
    }
    if (this.#inside.size > maxDepth) {
      const hint = 'Write it with fewer levels.'
      const tooDeep: Problem = (at, section) =>
        new ConfigurationError(`${at} is nested deeper than ${maxDepth} levels.`, { hint, section })
      this.problems.set(path.slice(0, 1), tooDeep)
      return undefined
    }
    this.#inside.add(value)
    const copy = this.#copy(value, path)
    this.#inside.delete(value)
    this.#done.set(value, copy)
    return copy
  }

  #copy(value: object, path: readonly string[]): unknown {
    if (Array.isArray(value)) return value.map((entry: unknown, index) => this.of(entry, [...path, String(index)]))
    if (!isTree(value) || value instanceof ExactNumber) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, entry]) => {
        if (name === '__proto__') this.#addProblem([...path, name], notAKey)
        return [name, this.of(entry, [...path, name])]
      }),
    )
  }

  #text(text: string, path: readonly string[]): string {
    const isKept = this.#context.asWritten.some((kept) => kept.every((key, index) => path[index] === key))
    return text.replace(reference, (all, file?: string, name?: string, other?: string) => {
      if (file !== undefined) this.files.add(file)
      // Set for the hook alone: its shell replaces them.
      if (name?.startsWith(hookVariable) && isOfHook(path)) return all
      if (name !== undefined) this.names.add(name)
      if (isKept) return all
      if (other !== undefined) return this.#plain(other, path)
      if (file !== undefined) return this.#secretIn(file, path) ?? all
      return name === undefined ? '${' : (this.#variable(name, path) ?? all)
    })
  }

  /** A `${` that is neither a reference nor escaped. */
  #plain(text: string, path: readonly string[]): string {
    // In a command it may be for the shell, and has always been passed on.
    if (isOfHook(path)) return text
    this.#addProblem(path, (at, section) => {
      // The rest isn't shown: it may be a secret default, or a password that happens to have these characters.
      const [known] = foreign.exec(text) ?? []
      const shown = known === undefined ? '${' : `${known}…}`
      return new ConfigurationError(`${at} has \`${shown}\`, which owm doesn't replace.`, {
        hint: 'Write `${NAME}`, a variable without a default, or `${file:PATH}`; for a plain `${` write `$${`.',
        section,
      })
    })
    return text
  }

  #variable(name: string, path: readonly string[]): string | undefined {
    const { env, secrets } = this.#context
    const found = env[name]
    if (found?.includes('\ufffd'))
      this.#addProblem(path, (at, section) => {
        const hint = 'Set it in UTF-8: owm reads the environment so, whatever the locale.'
        const message = `${at} needs the environment variable ${name}, whose value isn't valid UTF-8.`
        return new ConfigurationError(message, { hint, section })
      })
    if (found === undefined)
      this.#addProblem(path, (at, section) => {
        const hint = `Set ${name}, or write the value itself.`
        return new ConfigurationError(`${at} needs the environment variable ${name}, which isn't set.`, {
          hint,
          section,
        })
      })
    else if (isSecretName(name)) secrets.add(found)
    else {
      secrets.suspect(found)
      this.variables.push({ path, value: found })
    }
    return found
  }

  /** The text of a file, without the line feed at its end: always a secret. */
  #secretIn(given: string, path: readonly string[]): string | undefined {
    const { env, secrets, baseDir } = this.#context
    if (credentials.test(given) && !env['CREDENTIALS_DIRECTORY']) {
      this.#addProblem(path, noCredentials)
      return undefined
    }
    const file = given.replace(credentials, () => env['CREDENTIALS_DIRECTORY'] ?? '')
    const place = resolve(baseDir, file)
    try {
      // Reading a named pipe would block.
      if (!statSync(place).isFile()) throw new Error('it is not a regular file')
      const secret = utf8Of(readFileSync(place)).replace(/\r?\n$/, '')
      secrets.add(secret)
      return secret
    } catch (error) {
      this.#addProblem(path, (at, section) => {
        const hint = 'Correct the path, or the rights of the file.'
        const why = toError(error).message
        return new ConfigurationError(`${at} needs the file ${place}, which can't be read: ${why}.`, { hint, section })
      })
      return undefined
    }
  }

  #addProblem(path: readonly string[], problem: Problem): void {
    if (!this.#context.unused.includes(path[0] ?? '')) this.problems.set(path, problem)
  }
}

/**
 * Clears variables at places that the schema knows and doesn't mark as secret.
 * @param depth of the schema's root in the paths
 */
export function clear(variables: readonly Variable[], type: z.ZodType, depth: number, secrets: Secrets): void {
  if (variables.length === 0) return
  const root = SchemaPlace.rootOf(type)
  for (const { path, value } of variables) {
    const places = root.flatMap((place) => place.at(path.slice(depth)))
    if (places.length > 0 && !places.some(({ isSecret }) => isSecret) && !path.some(isSecretName)) secrets.clear(value)
  }
}
