/** The owner of an outbox and its receipts. */
import { stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import type { Loaded } from '../config/load.js'
import { statIfThere } from '../files/folders.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The pipeline's name, else the absolute path of the configuration file as it was named or found, else the working
 * directory. Links aren't resolved: the target of one such as `current`, or a ConfigMap's, changes.
 */
export async function ownerOf(loaded: Loaded, env: Environment): Promise<string> {
  return loaded.pipeline ?? placeOf(loaded, env)
}

/** The configuration file, or without one the working directory, by the path that the user knows. */
export async function placeOf({ file, named, cwd }: Loaded, env: Environment): Promise<string> {
  if (named !== undefined && isAbsolute(named)) return resolve(named)
  const place = file ?? cwd
  const below = relative(cwd, place)
  return below.startsWith('..') ? place : join(await asEntered(cwd, env), below)
}

/** The working directory as the shell has it in PWD, if that is still the same folder. */
export async function asEntered(cwd: string, { PWD = '' }: Environment): Promise<string> {
  if (!isAbsolute(PWD)) return cwd
  const [entered, here] = await Promise.all([statIfThere(PWD), stat(cwd)])
  return entered?.dev === here.dev && entered.ino === here.ino ? resolve(PWD) : cwd
}
