/** Small files that are written whole, and read whole. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, lstat, open, rename, rm, writeFile } from 'node:fs/promises'

/**
 * Writes a file in one step: whoever reads it sees all of it, or what was there before. A link at its place is
 * replaced, not followed.
 * @param mode of the file, whatever the umask is
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.${randomUUID()}`
  try {
    await writeFile(fresh, text, { flag: 'wx', mode })
    await chmod(fresh, mode)
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

/**
 * Writes over a small file that is there, in place: a full disk has room for that, and the folder may be read-only.
 * Whoever reads it meanwhile may see a part.
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

/** Whether there is a file that belongs to another user. */
export async function isAnothers(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found !== undefined && process.getuid !== undefined && found.uid !== process.getuid()
}

/** What is in a regular file of this user's, up to 64 KiB; undefined where there is none. */
export async function readOwnFile(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined)
  try {
    const found = await file?.stat()
    const isOwn = found?.isFile() && found.size <= 65_536 && [found.uid, undefined].includes(process.getuid?.())
    return isOwn ? await file?.readFile('utf8') : undefined
  } finally {
    await file?.close()
  }
}
