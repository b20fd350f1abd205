/** Is a pipeline as it should be? Looks at everything, changes nothing. */
import { randomUUID } from 'node:crypto'
import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { locationsRead } from '../cli/terminal.js'
import {
  ConfigurationError,
  ConfigurationErrors,
  codeOf,
  OwmError,
  TransientError,
  toError,
  UsageError,
} from '../errors/index.js'
import type { Tally } from '../pipeline/filters.js'
import type { SinkDeps, SourceDeps } from '../pipeline/parts.js'
import { type Loaded, ownOptions } from './load.js'

type CheckedSource = SourceDeps & { readonly tally: Tally | undefined }

export interface Parts {
  configure(): Promise<Loaded>
  sourceOf(loaded: Loaded): Promise<CheckedSource>
  sinkOf(loaded: Loaded): Promise<SinkDeps>
}

/** What was looked at, and what is right with it, or what is wrong. */
export interface Finding {
  readonly about: 'configuration' | 'source' | 'sink' | 'outbox'
  readonly outcome: string | OwmError
}

/** @param connect also opens the source and reads its first batch, opens the sink and asks how far it is */
export async function checkConfig({ configure, sourceOf, sinkOf }: Parts, connect: boolean): Promise<Finding[]> {
  const found: Finding[] = []
  async function look<T>(
    about: Finding['about'],
    work: () => Promise<T>,
    words: (value: T) => string,
  ): Promise<T | undefined> {
    try {
      const value = await work()
      found.push({ about, outcome: words(value) })
      return value
    } catch (thrown) {
      if (thrown instanceof UsageError) throw thrown
      const error = thrown instanceof OwmError ? thrown : new TransientError(toError(thrown).message, { cause: thrown })
      for (const outcome of error instanceof ConfigurationErrors ? error.all : [error]) found.push({ about, outcome })
      return undefined
    }
  }

  const loaded = await look(
    'configuration',
    configure,
    ({ file, cwd }) => file ?? `no file in ${cwd}: flags and environment only`,
  )
  if (!loaded) return found
  const { settings } = loaded
  // Somebody waits for the answer: one attempt.
  const once = { ...loaded, settings: { ...settings, retry: { ...settings.retry, attempts: 1 } } }
  const source = await look(
    'source',
    () => sourceOf(once),
    ({ name }) => `${name}: its options are right`,
  )
  const sink = await look(
    'sink',
    () => sinkOf(loaded),
    ({ name }) => `${name}: its options are right`,
  )
  if (source) await lookAtFile('source', 'file')
  if (sink?.name === 'jsonl') await lookAtFile('sink', 'path')
  await look(
    'outbox',
    () => writable(settings.outbox.path, 'outbox.path'),
    (path) => `${path} can be written`,
  )
  if (!connect) return found
  if (source)
    await look(
      'source',
      () => firstBatch(source),
      (words) => `${source.name} was opened; first batch: ${words}`,
    )
  if (sink)
    await look(
      'sink',
      () => position(sink),
      (words) => words,
    )
  return found

  async function lookAtFile(about: 'source' | 'sink', key: 'file' | 'path'): Promise<void> {
    const path = loaded && ownOptions(loaded, about)[key]
    if (typeof path !== 'string' || path === '-') return
    const file = resolve(loaded?.baseDir ?? '', path)
    if (about === 'source')
      await look(
        about,
        () => readable(file),
        () => `${file} can be read`,
      )
    else
      await look(
        about,
        () => writable(file, 'sink.path', false),
        () => `${file} can be written`,
      )
  }
}

async function readable(file: string): Promise<void> {
  try {
    if (!(await stat(file)).isDirectory()) return await access(file, constants.R_OK)
  } catch (error) {
    throw new ConfigurationError(
      `The file ${file} can't be read: ${codeOf(error) === 'ENOENT' ? 'there is no such file' : toError(error).message}.`,
      {
        hint: 'Correct source.file; a relative path starts at the configuration file.',
        cause: error,
      },
    )
  }
  throw new ConfigurationError(`${file} is a folder.`, { hint: 'Name a file in source.file.' })
}

/** The file, or the folder in which it would be made; `withFolders`: or the one in which that would be made. */
async function writable(file: string, key: string, withFolders = true): Promise<string> {
  for (let path = file; ; path = dirname(path)) {
    try {
      const isFolder = (await stat(path)).isDirectory()
      await access(path, constants.W_OK)
      if (isFolder === (path !== file)) return file
      throw new Error(isFolder ? 'it is a folder' : `${path} is no folder`)
    } catch (error) {
      const isMissing = codeOf(error) === 'ENOENT' && path !== dirname(path) && (withFolders || path === file)
      if (!isMissing)
        throw new ConfigurationError(`${file} can't be written: ${toError(error).message}.`, {
          hint: `Correct ${key}, or the rights.`,
          cause: error,
        })
    }
  }
}

async function firstBatch({ name, timeoutMs, open, tally }: CheckedSource): Promise<string> {
  const source = await open()
  let late: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    late = setTimeout(
      () => reject(new TransientError(`The source ${name} gave nothing for ${timeoutMs / 1000} s.`)),
      timeoutMs,
    )
  })
  const batches = source.read(undefined)[Symbol.asyncIterator]()
  try {
    const first = await Promise.race([batches.next(), timeout])
    await Promise.race([batches.return?.(), timeout])
    return locationsRead({ read: first.done ? 0 : first.value.locations.length, ...tally })
  } finally {
    await Promise.race([source.close?.(), timeout]).finally(() => clearTimeout(late))
  }
}

/** Only a sink that remembers can be asked without being written to: another one makes its file, say, when it's opened. */
async function position({ name, open }: SinkDeps): Promise<string> {
  if (name === 'jsonl') return 'jsonl: there is nothing to connect to'
  const sink = await open()
  try {
    if (!sink.position) return `${name} was opened; it can't be asked anything without being written to`
    await sink.position(randomUUID())
    return `${name} was opened and answered`
  } finally {
    await sink.close?.()
  }
}
