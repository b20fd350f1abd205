/** Keeps the files of a configuration apart: owm writes to each in its own way, and would destroy another one. */
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ConfigurationError } from '../errors/index.js'
import { compact } from '../lists.js'
import { statIfThere } from './folders.js'

export interface NamedFile {
  /** The setting that names it: `sink.path`. */
  readonly key: string
  readonly path: string
  /** Matches what follows its name in files that belong to it: `-wal` of `outbox.db-wal`. */
  readonly beside?: RegExp
  /** The ending that such files share with it: `.prom` of `owm-0-of-3.prom`. */
  readonly ending?: string
}

/** Throws ConfigurationError if two are the same file, by whatever names, or one belongs to another. */
export async function mustBeApart(files: readonly NamedFile[]): Promise<void> {
  const together = await togetherIn(files)
  if (!together) return
  const { owner, owned, isSame } = together
  throw isSame
    ? new ConfigurationError(`${owner.key} and ${owned.key} are the same file, ${owner.place}.`, { hint })
    : new ConfigurationError(`${owned.key} is a file that belongs to ${owner.key}, ${owned.place}.`, { hint })
}

/** The first two that are the same file, or of which one belongs to the other; undefined if there are none. */
export async function togetherIn(
  files: readonly NamedFile[],
): Promise<{ owner: PlacedFile; owned: PlacedFile; isSame: boolean } | undefined> {
  const all = compact(...(await Promise.all(files.map(placed))))
  for (const [index, one] of all.entries())
    for (const other of all.slice(index + 1)) {
      const isSame = one.place === other.place || (one.id !== undefined && one.id === other.id)
      if (isSame || isBeside(one, other)) return { owner: one, owned: other, isSame }
      if (isBeside(other, one)) return { owner: other, owned: one, isSame }
    }
  return undefined
}

const hint = 'owm writes to both of them: name another file for one.'

interface PlacedFile extends NamedFile {
  /** The path without links, even if the file doesn't exist yet. */
  readonly place: string
  /** The same for all hard links to a file; undefined if it doesn't exist yet. */
  readonly id: string | undefined
}

/** Undefined for a terminal, a pipe or a device, which have no contents to destroy. */
async function placed(file: NamedFile): Promise<PlacedFile | undefined> {
  const { path } = file
  const there = await statIfThere(path)
  if (there)
    return there.isFile() ? { ...file, place: await realpath(path), id: `${there.dev}:${there.ino}` } : undefined
  const folder = await realpath(dirname(path)).catch(() => dirname(path))
  return { ...file, place: join(folder, basename(path)), id: undefined }
}

/** Whether `other` belongs to the first file. */
function isBeside({ place, beside, ending = '' }: PlacedFile, other: PlacedFile): boolean {
  const begin = place.slice(0, place.length - ending.length)
  if (!beside || !other.place.startsWith(begin) || !other.place.endsWith(ending)) return false
  return beside.test(other.place.slice(begin.length, other.place.length - ending.length))
}
