/** Whether a file survives a restart of the machine. */
import { realpath, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, sep } from 'node:path'
import { codeOf } from '../errors/index.js'

/** Linux' numbers of file systems that are memory. */
const inMemory: readonly number[] = [0x01021994, 0x858458f6] // tmpfs, ramfs

/** What a start of the machine empties. */
const emptied = (): string[] => ['/tmp', '/run', '/dev/shm', tmpdir()]

interface Volatile {
  /** Whether somebody empties the folder; else it is in memory. */
  readonly isEmptied: boolean
  readonly why: string
}

/**
 * Why a file that is there, or will be, is lost with the next restart; undefined where it may stay, or where its folder
 * can't be looked at: whoever opens the file says that.
 */
export async function volatileAt(path: string): Promise<Volatile | undefined> {
  try {
    const folder = await folderOf(path)
    const places = await Promise.all(emptied().map((place) => realpath(place).catch(() => place)))
    const place = places.find((one) => `${folder}${sep}`.startsWith(`${one}${sep}`))
    if (place !== undefined)
      return { isEmptied: true, why: `it is in ${place}, which a restart of the machine may empty` }
    const { type } = await statfs(folder)
    return inMemory.includes(type)
      ? { isEmptied: false, why: 'its folder is in memory (tmpfs), which a restart of the machine empties' }
      : undefined
  } catch {
    return undefined
  }
}

/** The nearest folder above a path that is there, without links. */
export async function folderOf(path: string): Promise<string> {
  const folder = dirname(path)
  return realpath(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' && folder !== path) return folderOf(folder)
    throw error
  })
}
