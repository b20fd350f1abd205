/** A list that somebody keeps: in the configuration itself, or in a CSV, JSON or NDJSON file. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigurationError, codeOf, ResumePointError, toError } from '../errors.js'
import { fieldMapper, meaningOf } from '../fields.js'
import { defineSource, type Location, type LocationBatch, Malformed, type Source } from '../plugin.js'

const formats = ['csv', 'json', 'ndjson'] as const
type Format = (typeof formats)[number]

const options = z
  .strictObject({
    locations: z.array(z.looseObject({})).optional().describe('the locations themselves'),
    file: z.string().min(1).optional().describe('a file of locations, as CSV with a header, JSON array or NDJSON'),
    format: z.enum(formats).optional().describe("the file's format, where its ending doesn't say"),
    delimiter: z.string().min(1).max(4).optional().describe("what separates CSV columns; found in the header where it isn't set"),
  })
  .refine(({ locations, file }) => (locations === undefined) !== (file === undefined), 'give either `locations` or `file`')

/** Records a batch: small enough to stay flat, large enough to cost nothing. */
const batchSize = 500

export default defineSource({
  name: 'static-list',
  description: 'locations in the configuration, or in a CSV, JSON or NDJSON file',
  options,
  async open({ locations, file, format, delimiter }, { baseDir, signal }): Promise<Source> {
    if (file === undefined) {
      const records = (locations ?? []).map((location, index) => ({ location: named(location), position: `locations[${index}]` }))
      return { total: records.length, read: (resume) => inBatches(records, resume, 'inline') }
    }
    const path = resolve(baseDir, file)
    const kind = format ?? formatOf(path)
    const { size, mtimeMs } = await stat(path).catch((thrown: unknown) => {
      const error = toError(thrown)
      throw new ConfigurationError(`The list ${path} can't be read: ${codeOf(error) === 'ENOENT' ? 'there is no such file' : error.message}.`, {
        hint: 'Correct source.file; a relative path starts at the configuration file.',
        cause: error,
      })
    })
    const readers = { csv: () => readCsv(path, delimiter, signal), json: () => readJson(path, signal), ndjson: () => readNdjson(path, signal) }
    return { read: (resume) => inBatches(readers[kind](), resume, `${size} ${mtimeMs}`) }
  },
})

interface Entry {
  location: Location | Malformed
  position: string
}

/** Batches with a resume point: how many records were read, of which version of the list. */
async function* inBatches(entries: Iterable<Entry> | AsyncIterable<Entry>, resume: string | undefined, version: string): AsyncGenerator<LocationBatch> {
  const cut = resume?.indexOf(' ') ?? -1
  if (resume !== undefined && resume.slice(cut + 1) !== version) throw new ResumePointError('the list has changed since')
  const skip = resume === undefined ? 0 : Number(resume.slice(0, cut))
  let done = 0
  let batch: Entry[] = []
  const full = (): LocationBatch => {
    const held = batch
    batch = []
    return { locations: held.map((entry) => entry.location), resume: `${done} ${version}`, position: (index) => held[index]?.position ?? '' }
  }
  for await (const entry of entries) {
    if (++done <= skip) continue
    if (batch.push(entry) === batchSize) yield full()
  }
  if (batch.length > 0) yield full()
}

function formatOf(path: string): Format {
  const ending = extname(path).slice(1).toLowerCase()
  const known: Readonly<Record<string, Format>> = { csv: 'csv', tsv: 'csv', json: 'json', ndjson: 'ndjson', jsonl: 'ndjson' }
  const format = known[ending]
  if (format) return format
  throw new ConfigurationError(`The ending of ${path} doesn't say what format it has.`, { hint: `Set source.format to one of ${formats.join(', ')}.` })
}

/** An object with owm's names for its keys. */
const named = fieldMapper()

function fromJson(value: unknown): Location | Malformed {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return named({ ...value })
  return new Malformed(JSON.stringify(value) ?? '', 'a location must be an object')
}

async function* readCsv(path: string, delimiter: string | undefined, signal: AbortSignal): AsyncGenerator<Entry> {
  const { parse } = await import('csv-parse')
  const skipped: Entry[] = []
  const parser = parse({
    bom: true,
    delimiter: delimiter ?? (await delimiterOf(path, signal)),
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: 8 * 1024 * 1024,
    on_skip: (error, raw) => {
      skipped.push({
        location: new Malformed(raw ?? '', error?.message ?? 'this line can not be read as CSV'),
        position: `line ${error && 'lines' in error ? error['lines'] : '?'}`,
      })
      return undefined
    },
  })
  const input = createReadStream(path, { signal })
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  let header: string[] | undefined
  try {
    for await (const row of parser) {
      const { record, info }: { record: string[]; info: { lines: number } } = row
      yield* skipped.splice(0)
      if (!header) {
        header = meaningOf(record)
        for (const needed of ['latitude', 'longitude', 'city'])
          if (!header.includes(needed))
            throw new ConfigurationError(`The list ${path} has no column for the ${needed}: its header is ${record.join(', ').slice(0, 200)}.`, {
              hint: 'The first line must name the columns: latitude, longitude, city, and whatever else you have.',
            })
        continue
      }
      yield { location: rowOf(header, record), position: `line ${info.lines}` }
    }
    yield* skipped
  } finally {
    input.destroy()
  }
}

function rowOf(header: readonly string[], record: readonly string[]): Location | Malformed {
  if (record.length !== header.length) return new Malformed(record.join(','), `the row has ${record.length} columns, the header ${header.length}`)
  const location: Record<string, unknown> = Object.create(null)
  for (let column = 0; column < header.length; column++) {
    const text = record[column] ?? ''
    // What isn't UTF-8 was decoded to U+FFFD.
    if (text.includes('\ufffd')) return new Malformed(record.join(','), `the column ${header[column]} isn't valid UTF-8`)
    location[header[column] ?? ''] = text
  }
  return location
}

/** The separator that the header line has most of. */
async function delimiterOf(path: string, signal: AbortSignal): Promise<string> {
  for await (const chunk of createReadStream(path, { end: 65_535, encoding: 'utf8', signal })) {
    const line = String(chunk).split('\n', 1)[0] ?? ''
    const counted = [',', ';', '\t', '|'].map((candidate) => ({ candidate, count: line.split(candidate).length }))
    return counted.reduce((best, next) => (next.count > best.count ? next : best)).candidate
  }
  return ','
}

async function* readNdjson(path: string, signal: AbortSignal): AsyncGenerator<Entry> {
  let number = 0
  for await (const line of linesOf(path, signal)) {
    number++
    if (line.trim() !== '') yield { location: parsed(line.replace(/^\ufeff/, '')), position: `line ${number}` }
  }
}

/** Not node:readline: that one also ends a line at U+2028, which may stand in JSON, and drops half a character at the end. */
async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let parts: string[] = []
  let endsInReturn = false
  for await (const chunk of createReadStream(path, { signal })) {
    let text = decoder.decode(chunk, { stream: true })
    if (endsInReturn && text.startsWith('\n')) text = text.slice(1)
    if (text !== '') endsInReturn = text.endsWith('\r')
    const [first = '', ...lines] = text.split(/\r\n|\n|\r/)
    parts.push(first)
    for (const line of lines) {
      yield parts.join('')
      parts = [line]
    }
  }
  yield parts.join('') + decoder.decode()
}

function parsed(line: string): Location | Malformed {
  if (line.includes('\ufffd')) return new Malformed(line, "the line isn't valid UTF-8")
  try {
    return fromJson(JSON.parse(line))
  } catch (error) {
    return new Malformed(line, `the line isn't JSON: ${toError(error).message}`)
  }
}

async function* readJson(path: string, signal: AbortSignal): AsyncGenerator<Entry> {
  const { JSONParser } = await import('@streamparser/json')
  const parser = new JSONParser({ paths: ['$.*'], keepStack: false })
  const ready: Entry[] = []
  let index = 0
  let isArray: boolean | undefined
  parser.onValue = ({ value }) => {
    // What isn't UTF-8 was decoded to U+FFFD; wherever it stands, the record isn't what somebody wrote.
    const isText = !JSON.stringify(value)?.includes('\ufffd')
    ready.push({ location: isText ? fromJson(value) : new Malformed(JSON.stringify(value), "the record isn't valid UTF-8"), position: `[${index++}]` })
  }
  const wrong = (what: string): ConfigurationError =>
    new ConfigurationError(`The list ${path} ${what}.`, { hint: 'A JSON list is one array of objects; for one object a line, set source.format to ndjson.' })
  for await (const chunk of createReadStream(path, { signal })) {
    try {
      parser.write(chunk)
    } catch (error) {
      throw wrong(`isn't valid JSON: ${toError(error).message}`)
    }
    // Of `{}` or `1` the parser tells nothing.
    isArray ??= chunk.toString().trim() === '' ? undefined : chunk.toString().trimStart().startsWith('[')
    if (isArray === false) throw wrong("isn't an array")
    yield* ready.splice(0)
  }
  if (!parser.isEnded) throw wrong('ends before its array does')
}
