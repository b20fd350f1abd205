/**
 * Configuration and code that owm found by itself run as this user: they must belong to this user or to root, and so
 * must every folder on the way, or anybody could have put them there. git and ssh do the same.
 */
import { realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigurationError } from './errors/index.js'

let isTrusted = false

/** Trusts all that is found from now on: the user said so, by a flag, a variable or the file's name. */
export function trustFound(): void {
  isTrusted = true
}

/** Why a file isn't trusted; undefined if it is. Throws the system's errors. */
export const whyNotTrusted = async (file: string): Promise<string | undefined> =>
  isTrusted ? undefined : whyStrange(file)

/**
 * Throws ConfigurationError if a file isn't trusted.
 * @param what it is, for the message: `The package pg`
 */
export async function mustBeTrusted(file: string, what: string): Promise<void> {
  const why = await whyNotTrusted(file).catch(() => undefined) // loading a missing file reports it
  if (why !== undefined)
    throw new ConfigurationError(`${what} isn't trusted: ${why}.`, {
      hint: 'If it is meant, give --trust-config, or set OWM_TRUST_CONFIG=1.',
    })
}

/** Why another user could have put a file there, even if the user trusts it; undefined if none could. */
export async function whyStrange(file: string): Promise<string | undefined> {
  const self = process.getuid?.()
  if (self === undefined) return undefined
  // Both the folders of a link and those of its target count.
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
