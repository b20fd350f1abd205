/**
 * Writes a new plugin's project from the folder `templates`: `plugin` has the common files, `source` and `sink` the
 * code, `typescript` its extra files. The code is valid in both languages: its types are inferred from the contract.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ConfigurationError, codeOf, isOfDisk, isOwmError, OutboxError, toError, UsageError } from '../errors/index.js'
import { makeFolder } from '../files/folders.js'
import { compact } from '../lists.js'

interface Owm {
  /** Where owm is installed. */
  root: string
  version: string
}

interface Named {
  /** The plugin's own name: `stations`. */
  name: string
  /** Its package's: `owm-source-stations`, perhaps with a scope, `@acme/owm-source-stations`. */
  full: string
}

export interface Project {
  kind: 'source' | 'sink'
  /** Its folder; package and plugin are named after it, and a scope after the folder above, such as `@acme`. */
  path: string
  typescript: boolean
}

/** Writes a project; returns its package's name and its files. Throws UsageError, ConfigurationError, OutboxError. */
export async function writeProject(project: Project, owm: Owm): Promise<{ name: string; files: string[] }> {
  const { kind, path } = project
  const prefix = `owm-${kind}-`
  const name = plain(basename(path)).replace(new RegExp(`^owm-${kind}(-|$)`), '')
  if (name === '')
    throw new UsageError(`${path} gives the plugin no name.`, {
      hint: `Name the folder after what it reads or writes: ${prefix}stations.`,
    })
  const above = basename(dirname(path))
  const scope = above.startsWith('@') ? plain(above) : ''
  const full = `${scope === '' ? '' : `@${scope}/`}${prefix}${name}`
  const files = await filesOf(project, { name, full }, owm)
  try {
    await makeFolder(path)
    const there = await readdir(path)
    if (there.length > 0)
      throw new ConfigurationError(`${path} isn't empty, and nothing is overwritten.`, {
        hint: 'Name a folder that is new, or move its files away first.',
      })
    for (const [file, text] of files) {
      await makeFolder(dirname(join(path, file)))
      await writeFile(join(path, file), text, { flag: 'wx' })
    }
  } catch (thrown) {
    const error = toError(thrown)
    if (isOwmError(error)) throw error
    const what = ['EEXIST', 'ENOTDIR'].includes(codeOf(error))
      ? `${path} is not a folder`
      : `${path} can't be written: ${error.message}`
    if (isOfDisk(error))
      throw new OutboxError(`${what}.`, { hint: 'Make room there, remove what is in it, and run again.', cause: error })
    throw new ConfigurationError(`${what}.`, { hint: 'Name a folder that is new, where you may write.', cause: error })
  }
  return { name: full, files: [...files.keys()].sort() }
}

/** As much of a folder's name as npm takes into a package's. */
const plain = (name: string): string =>
  name
    .toLowerCase()
    .normalize('NFKD') // é becomes e and an accent
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')

/** The project's files: path -> text. */
async function filesOf({ kind, typescript }: Project, named: Named, owm: Owm): Promise<Map<string, string>> {
  const values: Readonly<Record<string, string>> = {
    __NAME__: named.name,
    __KIND__: kind,
    __PACKAGE__: named.full,
    __MODULE__: typescript ? 'dist/index.js' : 'index.js',
    __OPTION__: kind === 'source' ? 'pageSize: 2' : 'folder: ./tasks',
    __VERSION__: owm.version,
    __YEAR__: String(new Date().getFullYear()),
  }
  const files = new Map<string, string>()
  for (const folder of compact('plugin', kind, typescript && 'typescript'))
    for (const file of await readdir(join(owm.root, 'templates', folder))) {
      const template = await readFile(join(owm.root, 'templates', folder, file), 'utf8')
      const text = template.replace(/__[A-Z]+__/g, (placeholder) => values[placeholder] ?? placeholder)
      const path = pathOf(file, typescript)
      const before = files.get(path)
      files.set(path, before === undefined ? text : mergedManifests(before, text))
    }
  return files
}

/** Where a template's file belongs. npm leaves `.gitignore` out of packages, so the template has another name. */
function pathOf(file: string, typescript: boolean): string {
  if (file === 'gitignore') return '.gitignore'
  return typescript && file.endsWith('.js') ? join('src', file.replace(/js$/, 'ts')) : file
}

interface Manifest {
  devDependencies: Readonly<Record<string, string>>
}

/** Merges the texts of two package.json. */
function mergedManifests(...texts: [string, string]): string {
  const [one, more]: Manifest[] = texts.map((text) => JSON.parse(text))
  const devDependencies = { ...more?.devDependencies, ...one?.devDependencies }
  return `${JSON.stringify({ ...one, ...more, devDependencies }, null, 2)}\n`
}
