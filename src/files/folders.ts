/** Files that may not exist, and folders. */
import type { Stats } from 'node:fs'
import { mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, format, parse } from 'node:path'
import { codeOf } from '../errors/index.js'

/**
 * Creates a folder and its parents, unless they exist. One by one: `recursive` in Node 20 never returns if the system
 * answers ENOENT although the parent exists, as in /proc.
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  if (await isFolder(path)) return
  if (dirname(path) !== path) await makeFolder(dirname(path), mode)
  await mkdir(path, { mode }).catch(async (error: unknown) => {
    if (!(await isFolder(path))) throw error // else another process was faster
  })
}

/** The nearest parent folder of a path that exists, without links. */
export async function folderOf(path: string): Promise<string> {
  const folder = dirname(path)
  return realpath(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' && folder !== path) return folderOf(folder)
    throw error
  })
}

/** `/var/lib/owm/outbox.db` of the pipeline `hourly`: `/var/lib/owm/outbox-hourly.db`. */
export function namedAfter(owner: string, path: string): string {
  const { dir, name, ext } = parse(path)
  return format({ dir, name: `${name}-${owner}`, ext })
}

/** Undefined if the file doesn't exist, or may not be examined. */
export const statIfThere = (path: string): Promise<Stats | undefined> => stat(path).catch(() => undefined)

/** The result of a call of `node:fs/promises`; undefined if the file doesn't exist. Other errors are thrown. */
export function ifThere<T>(result: Promise<T>): Promise<T | undefined> {
  return result.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
}

const isFolder = async (path: string): Promise<boolean> => (await statIfThere(path))?.isDirectory() ?? false
