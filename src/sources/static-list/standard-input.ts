/** A list on standard input. */
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { ConfigurationError, ResumePointError, TransientError } from '../../errors/index.js'
import { formats } from '../formats/records.js'
import { decoded, unzipped } from '../formats/text.js'
import type { List } from './file.js'
import type { Options } from './options.js'

export function standardInput(given: Options, signal: AbortSignal): List {
  const { format } = given
  if (format === undefined)
    throw new ConfigurationError('A list on standard input has no ending that says what format it has.', {
      hint: `Set source.format to one of ${formats.join(', ')}.`,
    })
  if (process.stdin.isTTY)
    throw new ConfigurationError('Standard input is a terminal.', {
      hint: 'Pipe a list into owm, `owm produce … < list.csv`, or set source.file to a file.',
    })
  return {
    name: 'standard input',
    format,
    text: () => decoded(unzipped(bytes(signal), 'standard input', false), given.encoding),
    again: false,
    version: async () => 'standard input',
    resumable(resume) {
      if (resume !== undefined) throw new ResumePointError('standard input can only be read from its start')
      return undefined
    },
  }
}

/**
 * What was read from standard input, in an unlinked file: a start that finishes an earlier run before its own reads
 * the list twice.
 */
let kept: { file: FileHandle; isWhole: boolean } | undefined

async function* bytes(signal: AbortSignal): AsyncGenerator<Buffer> {
  if (kept) {
    if (!kept.isWhole) throw new TransientError('Standard input could not be read to its end by an earlier run.')
    yield* kept.file.createReadStream({ start: 0, autoClose: false, signal })
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'owm-'))
  const file = await open(join(folder, 'standard-input'), 'wx+', 0o600)
  await rm(folder, { recursive: true })
  const keeping = { file, isWhole: false }
  kept = keeping
  for await (const chunk of addAbortSignal(signal, process.stdin)) {
    await file.write(chunk)
    yield chunk
  }
  keeping.isWhole = true
}
