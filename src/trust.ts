/**
 * Configuration and code that owm found by itself run as this user: they must belong to this user or to root, and so
 * must every folder on the way, or anybody could have put them there. git and ssh do the same.
 */
import { realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigurationError } from './errors/index.js'

let isTrusted = false

/** From now on whatever is found is meant: the user said so, by a flag, a variable or the file's name. */
export function trustFound(): void {
  isTrusted = true
}

/** Why a file isn't trusted; undefined where it is. Throws what the system throws. */
export const whyNotTrusted = async (file: string): Promise<string | undefined> =>
  isTrusted ? undefined : whyStrange(file)

/** @param what is about to run, for the message: `The package pg`. Throws ConfigurationError where it isn't trusted. */
export async function mustBeTrusted(file: string, what: string): Promise<void> {
  const why = await whyNotTrusted(file).catch(() => undefined) // a missing file is reported by whoever loads it
  if (why !== undefined)
    throw new ConfigurationError(`${what} isn't trusted: ${why}.`, {
      hint: 'If it is meant, give --trust-config, or set OWM_TRUST_CONFIG=1.',
    })
}

/** Why somebody else could have put a file there, whatever the user said; undefined where nobody could. */
export async function whyStrange(file: string): Promise<string | undefined> {
  const self = process.getuid?.()
  if (self === undefined) return undefined
  // A link's own folders count, and those of what it leads to.
  for (const path of new Set([resolve(file), await realpath(file)]))
    for (let at = path; ; at = dirname(at)) {
      const { uid, mode } = await stat(at)
      // guard: found-owner
      if (uid !== self && uid !== 0) return `${at} belongs to user ${uid}`
      const isShared = (mode & 0o002) !== 0 && !(at !== path && (mode & 0o1000) !== 0)
      // guard: found-shared
      if (isShared) return `everybody may write to ${at}`
      if (at === dirname(at)) break
    }
  return undefined
}
