/**
 * What owm opens as its own: a regular file of this user's, with one name, in a folder where nobody else may put
 * another in its place. For a SQLite database this goes for the files that SQLite has beside it, too: it believes
 * what stands in them, and waits for ever for a named pipe.
 *
 * Nothing here opens a file that exists. Closing any descriptor of a file gives up all the locks that this process has
 * on it, SQLite's included.
 */
import { constants, type Stats } from 'node:fs'
import { access, lstat, open, readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf } from '../errors/index.js'
import { ifThere, statIfThere } from './folders.js'

/** Endings of the files that SQLite has beside a database. */
const sideEndings = ['-journal', '-wal', '-shm'] as const

/** A file that owm doesn't open, and why: the message goes on behind the file's name. */
export class RefusedFile extends Error {
  /** What to do; `other` says how another file is named in its place. */
  readonly hint: (other: string) => string

  constructor(message: string, hint = (other: string): string => other) {
    super(message)
    this.hint = hint
  }
}

/** This user's id; undefined where the system has none. */
const self = (): number | undefined => process.getuid?.()

/** What is there, the links not followed; undefined where nothing is. */
export const statsOf = (path: string): Promise<Stats | undefined> => ifThere(lstat(path))

/**
 * Looks at a file; undefined where there is none. Throws RefusedFile where it isn't a regular one of `owner`'s.
 * @param foreign what to do about another user's
 * @param linked how one with other names is refused
 */
export async function checkFile(
  path: string,
  owner = self(),
  foreign = (_uid: number) => putThere,
  linked = refusedLink,
): Promise<Stats | undefined> {
  const found = await statsOf(path)
  if (!found) return undefined
  const name = basename(path)
  if (found.isSymbolicLink()) throw new RefusedFile(`${name} is a symbolic link, which could lead anywhere`)
  if (!found.isFile()) throw new RefusedFile(`${name} isn't a regular file`)
  // guard: owned
  if (owner !== undefined && found.uid !== owner)
    throw new RefusedFile(`${name} belongs to user ${found.uid}, not to user ${owner}`, foreign(found.uid))
  // guard: one-name
  if (found.nlink > 1) throw linked(path, found.nlink)
  return found
}

/** Somebody may have given a file of theirs a name that owm writes to. */
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

/** Looks at a database and at what is beside it. Undefined where there is none. Throws RefusedFile. */
export async function checkDatabase(path: string, owner = self()): Promise<Stats | undefined> {
  const found = await checkFile(path, owner, ofUser, refusedDatabase)
  for (const ending of sideEndings) {
    const side = await checkFile(`${path}${ending}`, owner)
    // guard: log-kept
    if (!found?.size && ending === '-wal' && side && side.size > 0)
      throw new RefusedFile(
        `it isn't there, or empty, but ${basename(path)}-wal is, with what was written last`,
        () => 'Move the file back beside it; if it is lost, move the -wal away, too.',
      )
  }
  return found
}

/** Throws RefusedFile where this user may not read a database or its log. */
export async function checkReadable(path: string, { uid }: Stats): Promise<void> {
  for (const file of [path, `${path}-wal`, `${path}-shm`])
    await access(file, constants.R_OK).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return
      throw new RefusedFile(`this user may not read ${basename(file)}, which belongs to user ${uid}`, ofUser(uid))
    })
}

/** Makes a file of this user's alone where there is none. */
async function make(path: string): Promise<void> {
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants
  const file = await open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600).catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST') return undefined // another owm was faster, or a stranger: the next look tells
    throw error
  })
  await file?.close()
}

/** Makes a lock's database where it's missing. It stays empty, so SQLite makes and opens nothing beside it. */
export async function prepareLock(path: string): Promise<void> {
  await checkFile(path) // it is beside what it guards: nobody else's is waited for
  if (!(await checkDatabase(path))) await make(path)
}

/**
 * Makes what is missing of a database and of the files beside it, before SQLite opens them: the name of a file that is
 * there can't be taken by anybody else. An empty journal or log does no harm. SQLite syncs
 * the folder with its first log.
 */
export async function prepareDatabase(path: string): Promise<void> {
  if (!(await checkDatabase(path))) await make(path)
  for (const ending of sideEndings) if (!(await statsOf(`${path}${ending}`))) await make(`${path}${ending}`)
}

/** Removes what `prepareDatabase` made and SQLite had no use for, once the database is closed. */
export async function removeEmpty(path: string, endings: readonly string[] = sideEndings): Promise<void> {
  for (const ending of endings)
    if ((await statsOf(`${path}${ending}`))?.size === 0) await rm(`${path}${ending}`, { force: true })
}

/**
 * Throws RefusedFile where somebody else may replace the files of a folder: its owner, or everybody where it isn't
 * sticky. (Writable by a group is fine: that is what a umask of 002 makes.)
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

/** How to name another outbox: at a place that is this user's own. */
export function anotherOutbox(): string {
  const home = homedir()
  const state = process.env['XDG_STATE_HOME'] || (home === '/' ? '' : join(home, '.local', 'state'))
  if (state === '') return 'Name another file with --outbox or outbox.path, in a folder that this user may write to.'
  return `Name another file with --outbox or outbox.path, such as ${join(state, 'owm', 'outbox.db')}.`
}

const ofUser =
  (uid: number): RefusedFile['hint'] =>
  (other) =>
    `\`sudo -u '#${uid}' owm …\` works on it as its owner does. ${other}`

/** Of a file that stands where owm's own would. */
const putThere: RefusedFile['hint'] = (other) => `Find out who put it there, then remove it. ${other}`

/** Of a file that may hold what owm wrote before, as another user. */
const written = (): RefusedFile['hint'] => (other) =>
  `Find out who put it there. With delivered tasks in it, run owm as that user, or \`chown\` it to this one. ${other}`

/**
 * Looks at a file that owm writes and others read, such as a sink's. What lies in a folder of this user's alone is
 * theirs to decide: a link, a pipe, a file under several names. Elsewhere, and where a link leads elsewhere, it must be
 * a regular file of this user's, or a pipe. Nowhere may it be a standard stream of this process. Returns whether it
 * lies elsewhere itself. Throws RefusedFile.
 */
export async function checkOutput(path: string): Promise<boolean> {
  await checkStreams(path)
  for await (const at of linked(path)) {
    if (!(await isShared(dirname(at)))) continue
    const found = await statsOf(at)
    // guard: output-own
    if (!(found?.isFIFO() && found.uid === self())) await checkFile(at, self(), written)
    return at === path
  }
  return false
}

/** A path, then what it leads to, a link at a time. */
async function* linked(path: string): AsyncGenerator<string> {
  for (let [at, hops] = [path, 0]; ; hops++) {
    yield at
    if (hops === mostLinks || !(await statsOf(at))?.isSymbolicLink()) return
    at = resolve(dirname(at), await readlink(at))
  }
}

/** Links on one way that Linux follows. */
const mostLinks = 40

const streams = ['standard input', 'standard output', 'standard error'] as const
type Stream = (typeof streams)[number]

/**
 * Throws RefusedFile where a path leads to a standard stream of this process: opened a second time, a file has two
 * offsets, and what goes to the one overwrites what went to the other.
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

/** The stream that goes to a file, such as by `> FILE`. In /dev/null nothing can be lost. */
async function streamAt(path: string): Promise<Stream | undefined> {
  const [found, nowhere, ...own] = await Promise.all(
    [path, '/dev/null', '/dev/fd/0', '/dev/fd/1', '/dev/fd/2'].map((file) => statIfThere(file)),
  )
  const is = (other: Stats | undefined): boolean => found?.dev === other?.dev && found?.ino === other?.ino
  return found === undefined || is(nowhere) ? undefined : streams.find((_, number) => is(own[number]))
}

/** The stream that a name stands for, wherever it goes: /dev/fd/1, /proc/self/fd/1. */
async function streamNamed(path: string): Promise<Stream | undefined> {
  const folder = await realpath(dirname(path)).catch(() => '')
  const isOwn = folder === '/dev/fd' || new RegExp(`^/proc/${process.pid}(/task/\\d+)?/fd$`).test(folder)
  return isOwn ? streams[Number(basename(path))] : undefined
}

/**
 * Whether standard output was closed, or ignored, when owm was started: it is /dev/null then, opened for both ways.
 * Who writes `> /dev/null` opens it for writing alone.
 */
export async function isOutputClosed(): Promise<boolean> {
  const [output, nowhere] = await Promise.all([stat('/dev/fd/1'), stat('/dev/null')])
  if (output.rdev !== nowhere.rdev) return false
  const about = await readFile('/proc/self/fdinfo/1', 'utf8').catch(() => '') // on Linux
  return (Number.parseInt(/^flags:\s*(\d+)$/m.exec(about)?.[1] ?? '', 8) & constants.O_RDWR) !== 0
}

/** Whether somebody else may put a file into a folder; a group is as good as its members. */
async function isShared(folder: string): Promise<boolean> {
  const found = await statIfThere(folder) // what isn't there is told by who opens it
  const uid = self()
  return found !== undefined && uid !== undefined && ((found.uid !== uid && found.uid !== 0) || !!(found.mode & 0o002))
}

/** Whether it is still the same file, under its one name. */
export async function isStill(path: string, { dev, ino }: Pick<Stats, 'dev' | 'ino'>): Promise<boolean> {
  const found = await statsOf(path)
  return found !== undefined && found.dev === dev && found.ino === ino && found.nlink === 1
}
