/**
 * Which files owm may open as its own: regular files of this user's, without other hard links, in a folder where no
 * other user may replace them. For a SQLite database that includes the files beside it: SQLite trusts their contents,
 * and would wait for ever for a named pipe.
 *
 * Nothing here opens an existing file: closing any descriptor of it would release all locks that this process has on
 * it, SQLite's included.
 */
import { constants, type Stats } from 'node:fs'
import { access, lstat, open, readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf } from '../errors/index.js'
import { ifThere, statIfThere } from './folders.js'

/** Endings of the files that SQLite keeps beside a database. */
const sideEndings = ['-journal', '-wal', '-shm'] as const

/** A file that owm doesn't open, and why: the message continues a sentence that begins with the file. */
export class RefusedFile extends Error {
  /** What to do; `other` says how to name another file instead. */
  readonly hint: (other: string) => string

  constructor(message: string, hint = (other: string): string => other) {
    super(message)
    this.hint = hint
  }
}

/** This user's id; undefined on systems without user ids. */
const self = (): number | undefined => process.getuid?.()

/** The stats of a path, links not followed; undefined if nothing is there. */
export const statsOf = (path: string): Promise<Stats | undefined> => ifThere(lstat(path))

/**
 * The stats of a file; undefined if there is none. Throws RefusedFile if it isn't a regular file of `owner`'s.
 * @param hintForeign the hint if it belongs to another user
 * @param refuseLinked the error if it has several names
 */
export async function checkFile(
  path: string,
  owner = self(),
  hintForeign = (_uid: number) => hintPutThere,
  refuseLinked = refusedLink,
): Promise<Stats | undefined> {
  const stats = await statsOf(path)
  if (!stats) return undefined
  const name = basename(path)
  if (stats.isSymbolicLink())
    throw new RefusedFile(`${name} is a symbolic link, which could lead anywhere`, hintPutThere)
  if (!stats.isFile()) throw new RefusedFile(`${name} isn't a regular file`, hintPutThere)
  // guard: owned
  if (owner !== undefined && stats.uid !== owner)
    throw new RefusedFile(`${name} belongs to user ${stats.uid}, not to user ${owner}`, hintForeign(stats.uid))
  // guard: one-name
  if (stats.nlink > 1) throw refuseLinked(path, stats.nlink)
  return stats
}

/** Another user may have linked a file of theirs to a name that owm writes to. */
const refusedLink = (path: string, names: number): RefusedFile =>
  new RefusedFile(
    `${basename(path)} has ${names} names (hard links): what owm writes there would stand under all of them`,
    (other) => `Find out what it is (\`find / -samefile ${path}\`), then remove this one of its names. ${other}`,
  )

const refusedDatabase = (path: string, names: number): RefusedFile =>
  new RefusedFile(
    `${basename(path)} has ${names} names (hard links): under each SQLite would keep another log`,
    () => `Remove the other names (\`find / -samefile ${path}\`), or copy the file.`,
  )

/** Checks a database and the files beside it: its stats, or undefined if there is none. Throws RefusedFile. */
export async function checkDatabase(path: string, owner = self()): Promise<Stats | undefined> {
  const stats = await checkFile(path, owner, hintOwner, refusedDatabase)
  for (const ending of sideEndings) {
    const side = await checkFile(`${path}${ending}`, owner)
    // guard: log-kept
    if (!stats?.size && ending === '-wal' && side && side.size > 0)
      throw new RefusedFile(
        `it isn't there, or empty, but ${basename(path)}-wal is, with what was written last`,
        () => 'Move the file back beside it; if it is lost, move the -wal away, too.',
      )
  }
  return stats
}

/** In bytes: SQLite takes paths of 512, file systems names of 255, and `-lock-journal` must fit behind the name. */
const longest = { path: 490, name: 242 }

/** Throws RefusedFile if SQLite can't open a database under this path, whatever its folder allows. */
export async function checkLength(path: string): Promise<void> {
  const [whole, name] = [Buffer.byteLength(path), Buffer.byteLength(basename(path))]
  if (name > longest.name)
    throw new RefusedFile(`its name has ${name} bytes, and with what SQLite puts behind it only ${longest.name} fit`)
  if (whole > longest.path)
    throw new RefusedFile(`its path has ${whole} bytes, and SQLite takes ${longest.path} at most`)
}

/** Throws RefusedFile if this user may not read a database or its log. */
export async function checkReadable(path: string, { uid }: Stats): Promise<void> {
  for (const file of [path, `${path}-wal`, `${path}-shm`])
    await access(file, constants.R_OK).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return
      throw new RefusedFile(`this user may not read ${basename(file)}, which belongs to user ${uid}`, hintOwner(uid))
    })
}

/** Creates a file with mode 0600, unless there is one. */
async function create(path: string): Promise<void> {
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants
  const file = await open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600).catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST') return undefined // another process was faster: it is checked once it is open
    throw error
  })
  await file?.close()
}

/** Creates a lock's database if it is missing. It stays empty, so SQLite creates and opens nothing beside it. */
export async function prepareLock(path: string): Promise<void> {
  await checkFile(path, self(), hintShared) // its hints fit a lock, those of a database's check don't
  if (!(await checkDatabase(path))) await create(path)
}

/**
 * Creates what is missing of a database and the files beside it before SQLite opens them: then no other user can take
 * their names. An empty journal or log does no harm. SQLite syncs the folder with its first log.
 */
export async function prepareDatabase(path: string): Promise<void> {
  if (!(await checkDatabase(path))) await create(path)
  for (const ending of sideEndings) if (!(await statsOf(`${path}${ending}`))) await create(`${path}${ending}`)
}

/** Removes what `prepareDatabase` created and SQLite didn't use, once the database is closed. */
export async function removeEmpty(path: string, endings: readonly string[] = sideEndings): Promise<void> {
  for (const ending of endings)
    if ((await statsOf(`${path}${ending}`))?.size === 0) await rm(`${path}${ending}`, { force: true })
}

/**
 * Throws RefusedFile if other users may replace files in a folder: its owner, or everybody unless it is sticky.
 * (Writable by a group is fine: that is the result of a umask of 002.)
 */
export async function checkFolder(path: string): Promise<void> {
  const uid = self()
  if (uid === undefined) return
  const { mode, uid: owner } = await stat(path)
  const hint = (other: string): string =>
    `${other} Where you trust all who may write there: --trust-folder, or OWM_TRUST_FOLDER=1.`
  if (owner !== uid && owner !== 0)
    throw new RefusedFile(`its folder belongs to user ${owner}, who may replace it`, hint)
  if (mode & 0o002 && !(mode & 0o1000)) throw new RefusedFile('everybody may replace files in its folder', hint)
}

/** How to name another outbox, such as one in this user's own state folder. */
export function anotherOutbox(): string {
  const home = homedir()
  const state = process.env['XDG_STATE_HOME'] || (home === '/' ? '' : join(home, '.local', 'state'))
  if (state === '') return 'Name another file with --outbox or outbox.path, in a folder that this user may write to.'
  return `Name another file with --outbox or outbox.path, such as ${join(state, 'owm', 'outbox.db')}.`
}

const hintOwner =
  (uid: number): RefusedFile['hint'] =>
  (other) =>
    `\`sudo -u '#${uid}' owm …\` works on it as its owner does. ${other}`

/** For a file in the place of one of owm's. */
const hintPutThere: RefusedFile['hint'] = (other) => `Find out who put it there, then remove it. ${other}`

/** For a file that owm keeps beside another one, which two users can't share. */
export const hintShared =
  (uid: number): RefusedFile['hint'] =>
  (other) =>
    `Find out who put it there. If owm did, as user ${uid}, leave it: a file is one user's. If not, remove it. ${other}`

/** For a file that owm, as another user, may have written. */
const hintWritten = (): RefusedFile['hint'] => (other) =>
  `Find out who put it there. With delivered tasks in it, run owm as that user, or \`chown\` it to this one. ${other}`

/**
 * Checks a file that owm writes and others read, such as a sink's. In a folder that only this user may write to it may
 * be anything: a link, a pipe, a file with several names. In a shared folder, or if a link leads into one, it must be a
 * regular file or a pipe of this user's. It may never be a standard stream of this process. Returns whether its own
 * folder is shared. Throws RefusedFile.
 */
export async function checkOutput(path: string): Promise<boolean> {
  await checkStreams(path)
  for await (const at of linked(path)) {
    if (!(await isShared(dirname(at)))) continue
    const stats = await statsOf(at)
    // guard: output-own
    if (!(stats?.isFIFO() && stats.uid === self())) await checkFile(at, self(), hintWritten)
    return at === path
  }
  return false
}

/** A path, then what it leads to, one link at a time. */
async function* linked(path: string): AsyncGenerator<string> {
  for (let [at, hops] = [path, 0]; ; hops++) {
    yield at
    if (hops === mostLinks || !(await statsOf(at))?.isSymbolicLink()) return
    at = resolve(dirname(at), await readlink(at))
  }
}

/** The most links in a row that Linux follows. */
const mostLinks = 40

const streams = ['standard input', 'standard output', 'standard error'] as const
type Stream = (typeof streams)[number]

/**
 * Throws RefusedFile if a path leads to a standard stream of this process: a file that is opened a second time has two
 * offsets, and writes at the one overwrite those at the other.
 */
export async function checkStreams(path: string): Promise<void> {
  let stream = await streamAt(path)
  for await (const at of linked(path)) stream ??= await streamNamed(at)
  // guard: output-no-stream
  if (stream !== undefined)
    throw new RefusedFile(`it is the ${stream} of owm itself`, (other) =>
      stream === 'standard output' ? 'Write - for standard output, or name another file in its place.' : other,
    )
}

/** The stream that is redirected to a file, such as by `> FILE`. Not for /dev/null, where nothing can be lost. */
async function streamAt(path: string): Promise<Stream | undefined> {
  const [file, nowhere, ...own] = await Promise.all(
    [path, '/dev/null', '/dev/fd/0', '/dev/fd/1', '/dev/fd/2'].map(statIfThere),
  )
  const is = (other: Stats | undefined): boolean => file?.dev === other?.dev && file?.ino === other?.ino
  return file === undefined || is(nowhere) ? undefined : streams.find((_, number) => is(own[number]))
}

/** The stream that a path names, wherever it is redirected to: /dev/fd/1, /proc/self/fd/1. */
async function streamNamed(path: string): Promise<Stream | undefined> {
  const folder = await realpath(dirname(path)).catch(() => '')
  const isOwn = folder === '/dev/fd' || new RegExp(`^/proc/${process.pid}(/task/\\d+)?/fd$`).test(folder)
  return isOwn ? streams[Number(basename(path))] : undefined
}

/**
 * Whether standard output was closed or ignored when owm was started: then it is /dev/null, opened read-write. A
 * shell's `> /dev/null` opens it write-only.
 */
export async function isOutputClosed(): Promise<boolean> {
  const [output, nowhere] = await Promise.all([stat('/dev/fd/1'), stat('/dev/null')])
  if (output.rdev !== nowhere.rdev) return false
  const about = await readFile('/proc/self/fdinfo/1', 'utf8').catch(() => '') // on Linux
  return (Number.parseInt(/^flags:\s*(\d+)$/m.exec(about)?.[1] ?? '', 8) & constants.O_RDWR) !== 0
}

/** Whether other users may put files into a folder; its group is trusted. */
async function isShared(folder: string): Promise<boolean> {
  const stats = await statIfThere(folder) // if it is missing, opening the file fails
  const uid = self()
  return stats !== undefined && uid !== undefined && ((stats.uid !== uid && stats.uid !== 0) || !!(stats.mode & 0o002))
}

/** Whether a path is still the same file, without other names. */
export async function isStill(path: string, { dev, ino }: Pick<Stats, 'dev' | 'ino'>): Promise<boolean> {
  const stats = await statsOf(path)
  return stats !== undefined && stats.dev === dev && stats.ino === ino && stats.nlink === 1
}
