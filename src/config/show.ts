/** The settings in force, each with its origin; without secrets. */
import * as z from 'zod'
import { isOwmError, type OwmError } from '../errors/index.js'
import type { SinkPlugin, SourcePlugin } from '../plugin.js'
import { loadSink, loadSource } from '../plugins/load.js'
import { isTree } from '../tasks/json/tree.js'
import type { Loaded } from './load.js'
import { commonKeys } from './schema.js'
import { located, pluginOptions } from './section.js'
import type { Origin } from './values/origins.js'
import { masked } from './values/secrets.js'

export interface Shown {
  /** `source.timeoutMs` */
  readonly key: string
  readonly value: unknown
  readonly origin: Origin
}

/** Includes the plugins' defaults; `errors` say why those of a plugin are missing. */
export async function settingsIn(loaded: Loaded): Promise<{ values: Shown[]; errors: OwmError[] }> {
  const { settings, origins, secrets } = loaded
  const originOf = await origins.all()
  const values: Shown[] = []
  const errors: OwmError[] = []

  function show(value: unknown, path: readonly string[]): void {
    const inner = isTree(value) ? Object.entries(value) : []
    for (const [key, entry] of inner) show(entry, [...path, key])
    if (inner.length > 0 || value === undefined) return
    const hasSecret = typeof value === 'string' && secrets.isIn(value)
    const shown = hasSecret ? masked(origins.written(path)) : value
    values.push({ key: path.join('.'), value: shown, origin: originOf(path) })
  }

  for (const [name, section] of Object.entries(settings)) {
    if ((name === 'source' || name === 'sink') && section !== undefined)
      show(await withDefaults(loaded, name, errors), [name])
    else show(masked(section), [name])
  }
  return { values, errors }
}

/** A section with its plugin's defaults, masked. */
async function withDefaults(loaded: Loaded, name: 'source' | 'sink', errors: OwmError[]): Promise<unknown> {
  const attempt = async <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => {
      if (!isOwmError(error)) throw error
      errors.push(error)
      return undefined
    })
  const { [name]: section } = loaded.settings
  const load = name === 'source' ? loadSource : loadSink
  const plugin = await attempt(
    located<SourcePlugin | SinkPlugin>(loaded, name, load(section?.use ?? '', loaded.baseDir)),
  )
  const options = plugin && (await attempt(pluginOptions(loaded, name, plugin.options)))
  const all = { ...section, ...(isTree(options) ? options : {}) }
  const isOwn = (key: string): boolean => key === 'use' || commonKeys[name].includes(key)
  const part = (own: boolean) => Object.fromEntries(Object.entries(all).filter(([key]) => isOwn(key) === own))
  // No key of a plugin that can't be loaded is known, so all are masked.
  return Object.assign({}, masked(part(true)), masked(part(false), plugin?.options ?? z.strictObject({})))
}
