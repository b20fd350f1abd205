/** Whether a file survives a reboot. */
import { realpath, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { sep } from 'node:path'
import { folderOf } from './folders.js'

/** Linux' magic numbers of file systems in memory. */
const inMemory: readonly number[] = [0x01021994, 0x858458f6] // tmpfs, ramfs

/** Folders that are emptied at boot. */
const emptied = (): string[] => ['/tmp', '/run', '/dev/shm', tmpdir()]

interface Volatile {
  /** Whether it is in one of the folders that are emptied; else it is in memory. */
  readonly isEmptied: boolean
  readonly why: string
}

/**
 * Why a file, existing or not, is lost with the next reboot; undefined if it may stay, or if its folder can't be
 * examined: then opening the file fails, too.
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
