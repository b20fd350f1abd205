/** `${NAME}` in a configuration: the environment's values. */
import { ConfigurationError, ConfigurationErrors } from '../errors/index.js'
import type { Environment } from './load.js'
import { isTree, type Origins } from './origins.js'
import { isSecretName, type Secrets } from './redact.js'

/** Levels. What is nested much deeper ends in a full stack somewhere. */
const maxDepth = 500

interface Problem {
  what: string
  hint: string
}

/** A value out of the environment, and where it went. */
export interface Variable {
  readonly path: readonly string[]
  readonly value: string
}

/**
 * What the file says to this pipeline, with the environment's values for `${NAME}`. They are not looked through for
 * variables again. Each is noted in `secrets`: as one, or as suspected until a schema says that its place is no secret.
 * Throws ConfigurationError.
 *
 * @param unused sections that the command doesn't use: there a variable needn't be set
 */
export async function expand(
  origins: Origins,
  env: Environment,
  secrets: Secrets,
  unused: readonly string[] = [],
): Promise<{ tree: Record<string, unknown>; variables: readonly Variable[] }> {
  const expansion = new Expansion(env, secrets, unused)
  const tree = expansion.of(origins.merged, [])
  if (expansion.problems.size > 0) {
    const placeOf = await origins.places()
    const errors = [...expansion.problems].map(
      ([path, { what, hint }]) => new ConfigurationError(`${path.join('.')} ${placeOf(path)} ${what}`, { hint }),
    )
    throw errors.length === 1 ? errors[0] : new ConfigurationErrors(errors)
  }
  return { tree: isTree(tree) ? tree : {}, variables: expansion.variables }
}

class Expansion {
  readonly problems = new Map<readonly string[], Problem>()
  readonly variables: Variable[] = []
  readonly #env: Environment
  readonly #secrets: Secrets
  readonly #unused: readonly string[]
  // With YAML's aliases the same object may stand in many places, or inside of itself.
  readonly #done = new Map<object, unknown>()
  readonly #inside = new Set<object>()

  constructor(env: Environment, secrets: Secrets, unused: readonly string[]) {
    this.#unused = unused
    this.#env = env
    this.#secrets = secrets
  }

  of(value: unknown, path: readonly string[]): unknown {
    if (typeof value === 'string') return this.#text(value, path)
    if (typeof value !== 'object' || value === null) return value
    if (this.#done.has(value)) return this.#done.get(value)
    if (this.#inside.has(value)) {
      const hint = 'Look for an alias that refers to what it stands in.'
      this.problems.set(path, { what: 'contains itself.', hint })
      return undefined
    }
    if (this.#inside.size > maxDepth) {
      const what = `is nested deeper than ${maxDepth} levels.`
      this.problems.set(path.slice(0, 1), { what, hint: 'Write it with fewer levels.' })
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
    if (!isTree(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, this.of(entry, [...path, name])]))
  }

  #text(text: string, path: readonly string[]): string {
    return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = this.#env[name]
      if (found === undefined && this.#unused.includes(path[0] ?? '')) return `\${${name}}`
      if (found === undefined)
        this.problems.set(path, {
          what: `needs the environment variable ${name}, which isn't set.`,
          hint: `Set ${name}, or write the value itself.`,
        })
      else if (isSecretName(name)) this.#secrets.add(found)
      else {
        this.#secrets.suspect(found)
        this.variables.push({ path, value: found })
      }
      return found ?? ''
    })
  }
}
