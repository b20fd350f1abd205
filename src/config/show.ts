/** The settings in force, one by one, each with where it came from; without secrets. */

import { OwmError } from '../errors/index.js'
import type { SinkPlugin, SourcePlugin } from '../plugin.js'
import { loadSink, loadSource } from '../plugins/load.js'
import { masked } from './explain.js'
import { type Loaded, located, pluginOptions } from './load.js'
import { isTree, type Origin } from './origins.js'

export interface Shown {
  /** `source.timeoutMs` */
  readonly key: string
  readonly value: unknown
  readonly origin: Origin
}

/** The plugins' defaults are among them; `errors` say why where they aren't. */
export async function settingsIn(loaded: Loaded): Promise<{ values: Shown[]; errors: OwmError[] }> {
  const { settings, baseDir, origins, secrets } = loaded
  const errors: OwmError[] = []
  const originOf = await origins.all()
  const values: Shown[] = []

  function show(value: unknown, path: readonly string[]): void {
    const inner = isTree(value) ? Object.entries(value) : []
    for (const [key, entry] of inner) show(entry, [...path, key])
    if (inner.length > 0 || value === undefined) return
    const tells = typeof value === 'string' && secrets.some((secret) => value.includes(secret))
    values.push({
      key: path.join('.'),
      value: tells ? masked(origins.written(path), []) : value,
      origin: originOf(path),
    })
  }

  async function told<T>(work: Promise<T>): Promise<T | undefined> {
    return work.catch((error: unknown) => {
      if (!(error instanceof OwmError)) throw error
      errors.push(error)
      return undefined
    })
  }

  for (const [name, section] of Object.entries(settings)) {
    if ((name !== 'source' && name !== 'sink') || section === undefined) {
      show(masked(section, []), [name])
      continue
    }
    const plugin = await told(
      located<SourcePlugin | SinkPlugin>(
        loaded,
        name,
        (name === 'source' ? loadSource : loadSink)(settings[name]?.use ?? '', baseDir),
      ),
    )
    const types = plugin ? [plugin.options] : []
    const options = plugin && masked(await told(pluginOptions(loaded, name, plugin.options)), types)
    const written = masked(section, types)
    show({ ...(isTree(written) ? written : {}), ...(isTree(options) ? options : {}) }, [name])
  }
  return { values, errors }
}
