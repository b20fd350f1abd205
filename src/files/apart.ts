/** The files that a configuration names: owm writes to each in its own way, and would lose what another one holds. */
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ConfigurationError } from '../errors/index.js'
import { statIfThere } from './folders.js'

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
  const together = await togetherIn(files)
  if (!together) return
  const { owner, owned, isSame } = together
  throw isSame
    ? new ConfigurationError(`${owner.key} and ${owned.key} are the same file, ${owner.place}.`, { hint })
    : new ConfigurationError(`${owned.key} is a file that belongs to ${owner.key}, ${owned.place}.`, { hint })
}

/** Two files that are one, or of which one stands beside the other; undefined where all are apart. */
export async function togetherIn(
  files: readonly NamedFile[],
): Promise<{ owner: Found; owned: Found; isSame: boolean } | undefined> {
  const all = (await Promise.all(files.map(found))).filter((file) => file !== undefined)
  for (const [index, one] of all.entries())
    for (const other of all.slice(index + 1)) {
      const isSame = one.place === other.place || (one.id !== undefined && one.id === other.id)
      if (isSame || isBeside(one, other)) return { owner: one, owned: other, isSame }
      if (isBeside(other, one)) return { owner: other, owned: one, isSame }
    }
  return undefined
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
  const there = await statIfThere(path)
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
