/** The settings in force, one by one, each with where it came from; without secrets. */
import { type Loaded, ownOptions, pluginOptions } from './config.js'
import { OwmError } from './errors.js'
import { masked } from './explain.js'
import { loadSink, loadSource } from './load-plugin.js'
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
    values.push({ key: path.join('.'), value: tells ? origins.written(path) : value, origin: originOf(path) })
  }

  for (const [name, section] of Object.entries(settings)) {
    if ((name !== 'source' && name !== 'sink') || section === undefined) {
      show(masked(section, []), [name])
      continue
    }
    try {
      const plugin = await (name === 'source' ? loadSource : loadSink)(settings[name]?.use ?? '', baseDir)
      const options = await pluginOptions(loaded, name, plugin.options)
      const own = masked(isTree(options) ? options : ownOptions(loaded, name), [plugin.options])
      show({ ...section, ...(isTree(own) ? own : {}) }, [name])
    } catch (error) {
      if (!(error instanceof OwmError)) throw error
      errors.push(error)
      show(masked(section, []), [name])
    }
  }
  return { values, errors }
}
