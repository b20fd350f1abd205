/** Failures of the outbox's file as OutboxErrors: what happened, and what to do. */
import { accessSync, constants, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, isOwmError, OutboxError, type OwmError, toError } from '../../errors/index.js'
import { anotherOutbox, RefusedFile } from '../../files/rules.js'
import { DamagedColumn } from './json.js'

const roomHint =
  'Make room and run again: 1,000 tasks take about 0.3 MB, the log beside the file up to 10 MB more; or inodes, if ' +
  'none is left (`df -i`). What was stored before is safe.'

/** For a log of an older version, which log.ts can't tell from the file's own. */
const foreignLogHint = 'If the file was restored or replaced, move FILE-wal and FILE-shm away first.'

const causes: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  SQLITE_FULL: ['the disk is full', roomHint],
  SQLITE_IOERR: [
    'the disk gave an input/output error',
    `Look at the disk and its free space, then run again; what was stored before is safe. ${foreignLogHint}`,
  ],
  SQLITE_READONLY: ['it can only be read', 'Make the file and its folder writable for this user.'],
  SQLITE_CANTOPEN: [
    "it can't be opened",
    'Make sure that its folder exists, is writable for this user, and that its file system has inodes left (`df -i`).',
  ],
  SQLITE_PERM: ['access is denied', 'Make the file and its folder writable for this user.'],
  SQLITE_CORRUPT: [
    'the file is damaged',
    `${foreignLogHint} If not, keep a copy, recover it with \`sqlite3 FILE .recover\`, or move it away.`,
  ],
  SQLITE_NOTADB: [
    "the file isn't a SQLite database",
    'Nothing was changed. Name another file with --outbox, or move this one away.',
  ],
  SQLITE_BUSY: ['another program keeps it locked', 'Find it (`fuser FILE`) and run again when it has ended.'],
  EACCES: ['access is denied', 'Make the file and its folder writable for this user.'],
  EROFS: ['its file system can only be read', 'Name another file with --outbox or outbox.path.'],
  ENOSPC: ['the disk is full', roomHint],
  ENOENT: ["its folder isn't there, or takes no files", 'Name another file with --outbox or outbox.path.'],
  ENOTDIR: ['a part of its path is not a folder', 'Name another file with --outbox or outbox.path.'],
  EEXIST: [
    "a part of its path is no folder, or a link to what isn't there",
    'Name another file with --outbox or outbox.path.',
  ],
}

/** The outbox's schema is newer than this owm's. */
export class NewerOutbox extends OutboxError {}

/** A row holds something that owm didn't write. */
export const damaged = (path: string, what: string, cause?: unknown): OutboxError =>
  new OutboxError(`The outbox ${path} is damaged: ${what}.`, {
    hint: 'Nothing was changed. Keep a copy, repair it, or move it away to start a new one.',
    cause,
  })

/** Returns these rows; throws OutboxError if one holds bytes, which SQLite allows in any column. */
export function withoutBytes<Row extends object>(rows: Row[], { path }: { readonly path: string }): Row[] {
  if (rows.some((row) => Object.values(row).some((value) => value instanceof Uint8Array)))
    throw damaged(path, 'it holds bytes in place of a text')
  return rows
}

export const missingOutbox = (path: string): OutboxError =>
  new OutboxError(`There is no outbox ${path}.`, {
    hint: '`owm produce` makes it; where it was moved, name its place with --outbox or outbox.path.',
  })

/** Whether the disk is full. */
export const isFull = (thrown: unknown): boolean =>
  [thrown, toError(thrown).cause].some((error) => ['SQLITE_FULL', 'ENOSPC'].includes(driverCodeOf(error)))

/** Whether an error may be due to another process that has just begun or stopped writing: worth another attempt. */
export const isPassing = (thrown: unknown): boolean =>
  ['SQLITE_CANTOPEN', 'SQLITE_BUSY', 'SQLITE_READONLY', 'SQLITE_CORRUPT', 'ENOENT'].includes(driverCodeOf(thrown))

/** Explains an error by the code of the driver's error, which TypeORM wraps, or of the system's. */
export function asOutboxError(path: string, thrown: unknown): OwmError {
  if (isOwmError(thrown)) return thrown
  if (thrown instanceof DamagedColumn) return damaged(path, thrown.message)
  if (thrown instanceof RefusedFile)
    return new OutboxError(`The outbox ${path} is refused: ${thrown.message}.`, {
      hint: thrown.hint(anotherOutbox()),
      cause: thrown,
    })
  const error = toError(thrown)
  const code = driverCodeOf(error)
  // On a full tmpfs SQLite reports SQLITE_IOERR, since it can't enlarge the file that it maps.
  const isFullDisk = code === 'SQLITE_IOERR' && hasNoRoom(path)
  const isReadOnlyDisk = code === 'SQLITE_READONLY' && isOnReadOnlyDisk(path)
  const [what, hint] = causes[isFullDisk ? 'SQLITE_FULL' : isReadOnlyDisk ? 'EROFS' : code] ?? [
    error.message,
    'Look at the file and its disk; nothing was reported done that is not.',
  ]
  return new OutboxError(`The outbox ${path} can't be used: ${what}${code ? ` (${code})` : ''}.`, {
    hint,
    cause: error,
  })
}

/** In bytes: with less free space than this the disk counts as full. */
const leastFree = 100_000

function hasNoRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize < leastFree
  } catch {
    return false // the error itself says what is wrong with the disk
  }
}

/** Such as a disk that was mounted read-only: no permission on the file changes that. */
function isOnReadOnlyDisk(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK)
    return false
  } catch (error) {
    return codeOf(error) === 'EROFS'
  }
}

function driverCodeOf(thrown: unknown): string {
  const error = toError(thrown)
  return codeOf('driverError' in error ? error.driverError : error) || codeOf(error)
}

/** Runs `work` and turns its errors into OutboxErrors. */
export async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asOutboxError(path, error)
  }
}
