/** The section of a source or a sink: owm's own keys, and the options of its plugin. */
import type * as z from 'zod'
import { ConfigurationError, errorKindOf, toError } from '../errors/index.js'
import type { Plugin } from '../plugins/load.js'
import { explain } from './explain.js'
import type { Loaded } from './load.js'
import { commonKeys, type Settings } from './schema.js'
import { secretsIn, secretsMade } from './values/secrets.js'
import { clear } from './values/variables.js'

/** Whether a path leads to one of owm's own settings, not to a plugin's option. */
export function isOwn([section, key = '']: readonly string[]): boolean {
  return (section !== 'source' && section !== 'sink') || key === 'use' || commonKeys[section].includes(key)
}

type Section = 'source' | 'sink'

/** A section that the command requires. Throws ConfigurationError if there is none. */
export function section<Name extends Section>(
  { settings, file, cwd }: Loaded,
  name: Name,
): NonNullable<Settings[Name]> {
  const given = settings[name]
  if (given !== undefined) return given
  throw file === undefined
    ? new ConfigurationError(`There is no configuration in ${cwd}, and no ${name} was named.`, {
        hint: '`owm init` writes a starter .owmrc.yaml; --config FILE names an existing file.',
      })
    : new ConfigurationError(`No ${name} is configured in ${file}.`, {
        hint: `Add \`${name}: {use: …}\`, or name one with --${name}.`,
      })
}

/** A plugin's options as configured, without owm's own keys. */
export function ownOptions(loaded: Loaded, name: Section): Record<string, unknown> {
  const given = Object.entries(section(loaded, name))
  return Object.fromEntries(given.filter(([key]) => key !== 'use' && !commonKeys[name].includes(key)))
}

/** Checks a plugin's own options against its schema. Throws ConfigurationError. */
export async function pluginOptions<S extends z.ZodType>(
  loaded: Loaded,
  name: Section,
  options: S,
): Promise<z.output<S>> {
  const own = ownOptions(loaded, name)
  loaded.secrets.add(...secretsIn(own, options))
  clear(
    loaded.variables.filter(({ path }) => path[0] === name && !isOwn(path)),
    options,
    1,
    loaded.secrets,
  )
  const checked = parsed(options, own, name, loaded)
  if (checked.success) {
    loaded.secrets.add(...secretsMade(checked.data, own, options))
    return checked.data
  }
  throw explain(checked.error, {
    value: own,
    type: options,
    prefix: [name],
    placeOf: await loaded.origins.places(),
    secrets: loaded.secrets,
  })
}

/** Secrets in options that may be invalid: they have to be known wherever stored texts are shown. */
export function optionSecrets(section: Readonly<Record<string, unknown>>, { kind, options }: Plugin): string[] {
  const own = Object.entries(section).filter(([key]) => key !== 'use' && !commonKeys[kind].includes(key))
  const given = Object.fromEntries(own)
  try {
    return [...secretsIn(given, options), ...secretsMade(options.safeParse(given).data, given, options)]
  } catch {
    return secretsIn(given, options) // a schema that throws, or is asynchronous
  }
}

/** A schema may throw instead of adding an issue, or be asynchronous. */
function parsed<S extends z.ZodType>(options: S, own: unknown, name: Section, { settings }: Loaded) {
  try {
    return options.safeParse(own)
  } catch (error) {
    throw new ConfigurationError(
      `The ${name} ${settings[name]?.use} broke its contract: checking its options threw: ${toError(error).message}.`,
      {
        hint: 'Fix its `options`: return false from a refine, add an issue in a transform; never throw.',
        cause: error,
      },
    )
  }
}

/** Adds the place of `use` to the error if the plugin can't be loaded. */
export async function located<Plugin>(loaded: Loaded, name: Section, loading: Promise<Plugin>): Promise<Plugin> {
  return loading.catch(async (thrown: unknown) => {
    if (errorKindOf(thrown) !== 'configuration') throw thrown
    const error = toError(thrown)
    const message = `${error.message.replace(/\.$/, '')} (${name}.use ${await loaded.origins.place([name, 'use'])}).`
    const hint = 'hint' in error && typeof error.hint === 'string' ? { hint: error.hint } : {}
    throw new ConfigurationError(message, { cause: error, ...hint })
  })
}
