/** What must be a regular file: opening a pipe would block until it has a writer. */
import { stat } from 'node:fs/promises'
import { type ConfigurationError, codeOf, toError } from '../errors/index.js'

/**
 * Throws unless there is a regular file at a path.
 *
 * @param unreadable makes the error
 * @param ofPipe what to do about a pipe, after the reason
 */
export async function mustBeRegular(
  path: string,
  unreadable: (why: string, cause?: unknown) => ConfigurationError,
  ofPipe = '',
): Promise<void> {
  const found = await stat(path).catch((thrown: unknown) => {
    throw unreadable(codeOf(thrown) === 'ENOENT' ? 'there is no such file' : toError(thrown).message, thrown)
  })
  if (found.isDirectory()) throw unreadable('it is a folder')
  if (!found.isFile()) throw unreadable(`it is a pipe or a device, not a file${ofPipe}`)
}
