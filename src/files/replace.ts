/** Reads and writes small files as a whole. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, lstat, open, rename, rm, writeFile } from 'node:fs/promises'

/**
 * Writes a file atomically: readers see the old text or the new one. A symbolic link at `path` is replaced, not
 * followed.
 * @param mode of the file, whatever the umask is
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  try {
    await writeFile(temporary, text, { flag: 'wx', mode })
    await chmod(temporary, mode)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/**
 * Overwrites an existing small file in place, for a full disk or a read-only folder. Readers may see a part of it
 * meanwhile.
 */
export async function overwriteFile(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    await file.write(text, 0)
    await file.truncate(Buffer.byteLength(text))
  } finally {
    await file.close()
  }
}

/** Whether there is a file, and it belongs to another user. */
export async function isAnothers(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  return stats !== undefined && process.getuid !== undefined && stats.uid !== process.getuid()
}

/** The text of a regular file of this user's, of 64 KiB at most; undefined if there is no such file. */
export async function readOwnFile(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined)
  try {
    const stats = await file?.stat()
    const isOwn = stats?.isFile() && stats.size <= 65_536 && [stats.uid, undefined].includes(process.getuid?.())
    return isOwn ? await file?.readFile('utf8') : undefined
  } finally {
    await file?.close()
  }
}
