/** A list in a file. */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { ConfigurationError, codeOf, TransientError, toError } from '../../errors/index.js'
import { type Format, formats, type TextList } from '../formats/records.js'
import { signatureOfEnding } from '../formats/signature.js'
import { decoded, refuse, refuseForeign, unzipped } from '../formats/text.js'
import { mustBeRegular } from '../regular-file.js'
import type { Options } from './options.js'

const endings: Readonly<Record<string, Format>> = {
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  json: 'json',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  geojson: 'geojson',
  geojsonl: 'ndjson',
  geojsons: 'ndjson',
  ndgeojson: 'ndjson',
  yaml: 'yaml',
  yml: 'yaml',
}

/** A list with a version, so that a change during the reading is noticed. */
export interface List extends TextList {
  /** Differs once the list has been changed. */
  version(): Promise<string>
  /** The checkpoint; throws ResumePointError if the list can only be read from its start. */
  resumable(resume: string | undefined): string | undefined
}

/** Throws TransientError if the list is no longer the version that was read. */
export async function mustBeUnchanged(list: List, version: string): Promise<void> {
  const now = await list.version().catch(() => 'gone')
  if (now !== version)
    throw new TransientError(`The list ${list.name} was changed while it was read.`, {
      hint: 'Write a new list beside it, then rename it.',
    })
}

export async function fileList(given: Options, path: string, signal: AbortSignal): Promise<List> {
  await mustBeReadable(path)
  const plain = path.replace(/\.gz$/i, '')
  const format = given.format ?? endings[extname(plain).slice(1).toLowerCase()]
  if (format === undefined) refuse(signatureOfEnding(plain), path)
  if (format === undefined)
    throw new ConfigurationError(`The ending of ${path} doesn't say what format it has.`, {
      hint: `Set source.format to one of ${formats.join(', ')}.`,
    })
  return {
    name: path,
    format,
    text: () => decoded(unzipped(createReadStream(path, { signal }), path, plain !== path), given.encoding),
    again: true,
    version: () => stat(path).then(({ size, mtimeMs }) => `${size} ${mtimeMs}`),
    resumable: (resume) => resume,
  }
}

/** How many bytes are read to recognise a file's type. */
const headBytes = 4096

/** Throws ConfigurationError unless this is a file that can be read. */
async function mustBeReadable(path: string): Promise<void> {
  const unreadable = (why: string, cause?: unknown): ConfigurationError =>
    new ConfigurationError(`The list ${path} can't be read: ${why}.`, {
      hint: 'Correct source.file; a relative path starts at the configuration file.',
      cause,
    })
  await mustBeRegular(path, unreadable, '; `file: "-"` reads what is piped into owm')
  const handle = await open(path).catch((thrown: unknown) => {
    throw unreadable(codeOf(thrown) === 'EACCES' ? 'permission is denied' : toError(thrown).message, thrown)
  })
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0)
    refuseForeign(buffer.subarray(0, bytesRead), path)
  } finally {
    await handle.close()
  }
}
