/** What is in a folder, and folders that owm makes. */
import type { Stats } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../errors/index.js'

/**
 * Makes a folder where there is none, and those above it. One by one: with `recursive` Node 20 never returns where the
 * system answers ENOENT although the folder above is there, as in /proc.
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  if (await isFolder(path)) return
  if (dirname(path) !== path) await makeFolder(dirname(path), mode)
  await mkdir(path, { mode }).catch(async (error: unknown) => {
    if (!(await isFolder(path))) throw error // else somebody was faster
  })
}

/** Undefined where there is nothing, or nothing that may be looked at. */
export const statIfThere = (path: string): Promise<Stats | undefined> => stat(path).catch(() => undefined)

/** What a call of `node:fs/promises` gives; undefined where the file isn't there. Other errors are thrown. */
export function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  return found.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
}

const isFolder = async (path: string): Promise<boolean> => (await statIfThere(path))?.isDirectory() ?? false
