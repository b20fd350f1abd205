/** Writes a new plugin's project from the folder `templates`. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ConfigurationError, codeOf, isOwmError, toError, UsageError } from '../errors/index.js'

export interface Owm {
  /** Where owm is installed. */
  root: string
  version: string
}

/** Writes a project; its package and plugin are named after the folder. Throws UsageError, ConfigurationError. */
export async function writeProject(
  kind: 'source' | 'sink',
  path: string,
  owm: Owm,
): Promise<{ name: string; files: string[] }> {
  const prefix = `owm-${kind}-`
  const name = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .replace(prefix, '')
  if (name === '')
    throw new UsageError(`${path} gives the plugin no name.`, {
      hint: `Name the folder after what it reads or writes: ${prefix}stations.`,
    })
  const values: Readonly<Record<string, string>> = {
    __NAME__: name,
    __PACKAGE__: `${prefix}${name}`,
    __VERSION__: owm.version,
  }
  const templates = join(owm.root, 'templates', kind)
  const files = await readdir(templates)
  try {
    await mkdir(path, { recursive: true })
    const there = await readdir(path)
    if (there.length > 0)
      throw new ConfigurationError(`${path} isn't empty, and nothing is overwritten.`, {
        hint: 'Name a folder that is new, or move its files away first.',
      })
    for (const file of files) {
      const text = await readFile(join(templates, file), 'utf8')
      await writeFile(
        join(path, file),
        text.replace(/__[A-Z]+__/g, (placeholder) => values[placeholder] ?? placeholder),
        { flag: 'wx' },
      )
    }
  } catch (thrown) {
    const error = toError(thrown)
    if (isOwmError(error)) throw error
    const what = ['EEXIST', 'ENOTDIR'].includes(codeOf(error))
      ? `${path} is not a folder`
      : `${path} can't be written: ${error.message}`
    throw new ConfigurationError(`${what}.`, { hint: 'Name a folder that is new, where you may write.', cause: error })
  }
  return { name: `${prefix}${name}`, files }
}
