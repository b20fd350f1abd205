/** Checks that the files of a configuration can be read and written, without changing anything. */
import { access, constants, readlink, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigurationError, codeOf, OutboxError, toError } from '../../errors/index.js'
import { freeBytesAt, whyUnmakeable } from '../../files/disk.js'
import { statIfThere } from '../../files/folders.js'
import {
  anotherOutbox,
  checkDatabase,
  checkFile,
  checkFolder,
  checkLength,
  checkOutput,
  RefusedFile,
} from '../../files/rules.js'

/** Throws ConfigurationError. */
export async function readable(file: string): Promise<void> {
  try {
    if (!(await stat(file)).isDirectory()) return await access(file, constants.R_OK)
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : toError(error).message
    throw new ConfigurationError(`The file ${file} can't be read: ${why}.`, {
      hint: 'Correct source.file; a relative path starts at the configuration file.',
      cause: error,
    })
  }
  throw new ConfigurationError(`The list ${file} is a folder.`, { hint: 'Name a file in source.file.' })
}

/** Checks the file, or the folder where it would be created; with `withFolders` that may be missing, too. */
async function writable(file: string, key: string, withFolders: boolean): Promise<void> {
  for (let path = file; ; path = dirname(path)) {
    try {
      const isFolder = (await stat(path)).isDirectory()
      await access(path, constants.W_OK)
      const why = path === file ? undefined : await whyUnmakeable(file)
      if (why !== undefined) throw new Error(why)
      if (isFolder === (path !== file)) return
      throw new Error(isFolder ? 'it is a folder' : `${path} is not a folder`)
    } catch (error) {
      const isGone = codeOf(error) === 'ENOENT'
      // A folder can't be created in place of a dangling link.
      const target = isGone && path !== file ? await readlink(path).catch(() => undefined) : undefined
      const isFine = withFolders || path === file
      if (isGone && isFine && target === undefined && path !== dirname(path)) continue
      const why = target === undefined ? toError(error).message : `${path} is a link to ${target}, which isn't there`
      throw new ConfigurationError(`${file} can't be written: ${why}.`, {
        hint: `Correct ${key}, or the rights.`,
        cause: error,
      })
    }
  }
}

/** Throws ConfigurationError. */
export async function writableOutput(path: string): Promise<void> {
  await checkOutput(path).catch(refused(path, 'Name another file in sink.path.'))
  await writable(path, 'sink.path', false)
}

/**
 * For new configuration files: one that another user may replace wouldn't be trusted when it is found, and their link
 * could lead anywhere. Throws ConfigurationError.
 */
export async function mustBeSafe(files: readonly string[], trustFolder: boolean): Promise<void> {
  for (const file of files) {
    const refuse = refused(file, 'Start owm init in a folder of your own.')
    if (!trustFolder) await checkFolder(dirname(file)).catch(refuse)
    await checkFile(file).catch(refuse)
  }
}

const refused =
  (path: string, other: string) =>
  (error: unknown): never => {
    if (!(error instanceof RefusedFile)) throw error
    throw new ConfigurationError(`The file ${path} is refused: ${error.message}.`, {
      hint: error.hint(other),
      cause: error,
    })
  }

/** Applies the rules for opening an outbox; it and its folder needn't exist yet. Throws ConfigurationError. */
export async function usableOutbox(path: string, trustFolder: boolean): Promise<void> {
  const refuse = refused(path, anotherOutbox())
  await checkLength(path).catch(refuse)
  await writable(path, 'outbox.path', true)
  for (const file of [path, `${path}-lock`]) await checkDatabase(file).catch(refuse)
  const isThere = (await statIfThere(dirname(path))) !== undefined
  if (!isThere) return
  await access(dirname(path), constants.W_OK).catch((thrown: unknown) => {
    const cause = toError(thrown)
    throw new ConfigurationError(`${path} can't be written: SQLite makes files beside it, and ${cause.message}.`, {
      hint: 'Make its folder writable for this user, or correct outbox.path.',
      cause,
    })
  })
  if (!trustFolder) await checkFolder(dirname(path)).catch(refuse)
}

/** Bytes: an empty outbox and its log take more. */
const leastRoom = 65_536

/** Throws OutboxError if a start couldn't even begin; `owm doctor` asks whether a whole run fits. */
export async function mustHaveRoom(path: string): Promise<void> {
  if ((await freeBytesAt(path)) >= leastRoom) return
  throw new OutboxError(`The disk of ${path} is full.`, {
    hint: 'Make room: `owm doctor` says how much a run needs.',
  })
}
