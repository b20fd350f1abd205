/** The files that a configuration names: owm writes to each in its own way, and would lose what another one holds. */
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ConfigurationError } from '../errors/index.js'

export interface NamedFile {
  /** What names it: `sink.path`. */
  readonly key: string
  readonly path: string
  /** The files that belong to it, by what stands behind its name: `outbox.db-wal`. */
  readonly beside?: RegExp
  /** An ending that such files have behind that: `.prom` for `owm-0-of-3.prom`. */
  readonly ending?: string
}

/** Throws ConfigurationError where two of them are one file, by whatever name, or one is a file beside another. */
export async function mustBeApart(files: readonly NamedFile[]): Promise<void> {
  const all = (await Promise.all(files.map(found))).filter((file) => file !== undefined)
  for (const one of all)
    for (const other of all.slice(all.indexOf(one) + 1)) {
      if (one.place === other.place || (one.id !== undefined && one.id === other.id))
        throw new ConfigurationError(`${one.key} and ${other.key} are the same file, ${one.place}.`, { hint })
      const [owner, owned] = isBeside(one, other) ? [one, other] : [other, one]
      if (isBeside(owner, owned))
        throw new ConfigurationError(`${owned.key} is a file that belongs to ${owner.key}, ${owned.place}.`, { hint })
    }
}

const hint = 'owm writes to both of them: name another file for one.'

interface Found extends NamedFile {
  /** The path without links, also where the file isn't there yet. */
  readonly place: string
  /** Hard links to one file have the same. */
  readonly id: string | undefined
}

/** Undefined for a terminal, a pipe or a device, which nothing is lost in. */
async function found(file: NamedFile): Promise<Found | undefined> {
  const { path } = file
  const there = await stat(path).catch(() => undefined)
  if (there)
    return there.isFile() ? { ...file, place: await realpath(path), id: `${there.dev}:${there.ino}` } : undefined
  const folder = await realpath(dirname(path)).catch(() => dirname(path))
  return { ...file, place: join(folder, basename(path)), id: undefined }
}

function isBeside({ place, beside, ending = '' }: Found, other: Found): boolean {
  const begin = place.slice(0, place.length - ending.length)
  if (!beside || !other.place.startsWith(begin) || !other.place.endsWith(ending)) return false
  return beside.test(other.place.slice(begin.length, other.place.length - ending.length))
}
