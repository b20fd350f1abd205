/**
 * A list that somebody keeps: in the configuration itself, in a file, or on standard input.
 *
 * Every list is a stream of bytes that becomes text and then, chunk by chunk, arrays of records: nothing
 * grows with its length (but YAML, which is one document), and no record costs a step of an iterator.
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open as openFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { addAbortSignal, pipeline } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import { ConfigurationError, codeOf, ResumePointError, TransientError, toError } from '../../errors/index.js'
import { nearest } from '../../errors/suggest.js'
import { defineSource, type Location, type LocationBatch, Malformed, type Source } from '../../plugin.js'
import { placeOf } from '../../tasks/place.js'
import { Rejection } from '../../tasks/rejection.js'
import { Bare, fieldMapper, fields, meaningOf } from '../fields.js'

const formats = ['csv', 'tsv', 'json', 'ndjson', 'geojson', 'yaml'] as const
type Format = (typeof formats)[number]
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

const usualEncodings = [
  ...[
    'utf-8',
    'utf-16le',
    'utf-16be',
    'latin1',
    'macintosh',
    'koi8-r',
    'koi8-u',
    'ibm866',
    'gbk',
    'gb18030',
    'big5',
    'shift_jis',
    'euc-jp',
    'euc-kr',
  ],
  ...Array.from({ length: 9 }, (_, page) => `windows-${1250 + page}`),
  ...Array.from({ length: 16 }, (_, part) => `iso-8859-${part + 1}`),
]

function isEncoding(name: string): boolean {
  try {
    return new TextDecoder(name).encoding !== ''
  } catch {
    return false
  }
}

const options = z
  .strictObject({
    locations: z.array(z.looseObject({})).optional().describe('the locations themselves'),
    file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'a file of locations, as CSV, TSV, JSON, NDJSON, GeoJSON or YAML, each also compressed by gzip; `-` is standard input, which needs `format`',
      ),
    format: z.enum(formats).optional().describe("the file's format, where its ending (before `.gz`) doesn't say"),
    fields,
    items: z
      .string()
      .regex(/^[^.*]+(\.[^.*]+)*$/, 'names with dots between them are expected')
      .optional()
      .describe('where in a JSON or YAML object the list is, `data.cities`; found where there is only one'),
    encoding: z
      .string()
      .refine(isEncoding, {
        error: ({ input }) =>
          `there is no such encoding; the nearest is ${nearest(String(input), usualEncodings) ?? 'utf-8, or another of the WHATWG Encoding Standard'}`,
      })
      .optional()
      .describe(
        "the file's encoding, such as latin1, windows-1252 or utf-16le; UTF-8, or what a byte order mark says, where it isn't set",
      ),
    delimiter: z
      .string()
      .min(1)
      .max(4)
      .optional()
      .describe("what separates CSV columns; found in the first line where it isn't set"),
    quote: z
      .string()
      .max(1)
      .default('"')
      .describe('what encloses CSV values that hold a delimiter or a line break; empty where nothing does'),
    header: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('the names of the columns of a CSV file that has no header line'),
  })
  .refine(
    ({ locations, file }) => (locations === undefined) !== (file === undefined),
    'give either `locations` or `file`',
  )
  .meta({ examples: [{ file: './locations.csv' }] })
type Options = z.output<typeof options>

/** Records a batch: small enough to stay flat, large enough to cost nothing. */
const batchSize = 500
/** Characters of one record: more is a quote or a bracket that is never closed. */
const maxRecord = 8 * 1024 * 1024
/** Characters of a YAML list, which is read as a whole: about 80 times as much memory. */
const maxYaml = 8 * 1024 * 1024

export default defineSource({
  name: 'static-list',
  description:
    'locations in the configuration, in a file (CSV, TSV, JSON, NDJSON, GeoJSON or YAML, also as .gz) or on standard input',
  options,
  async open(given, { baseDir, signal, log }): Promise<Source> {
    const { file } = given
    if (file === undefined) {
      const records = (given.locations ?? []).map(locationMaker(given))
      async function* inline(): AsyncGenerator<Records> {
        yield { records, position: (index) => `locations[${index}]` }
      }
      return { total: records.length, read: (resume) => inBatches(inline(), resume, 'inline') }
    }
    const list = file === '-' ? standardInput(given, signal) : await fileList(given, resolve(baseDir, file), signal)
    const readers = {
      csv: readCsv,
      tsv: readCsv,
      json: readJson,
      ndjson: readNdjson,
      geojson: readJson,
      yaml: readYaml,
    }
    return {
      async *read(resume) {
        const version = await list.version()
        let found = false
        try {
          for await (const batch of inBatches(readers[list.format](list, given), list.resumable(resume), version)) {
            found = true
            yield batch
          }
        } catch (error) {
          await unchanged(list, version)
          throw error
        }
        await unchanged(list, version)
        if (!found && resume === undefined) log.warn({ list: list.name }, 'the list has no locations')
      },
    }
  },
})

/** What one chunk of a list held, and where in the list each record stands. */
interface Records {
  readonly records: readonly (Location | Malformed)[]
  position(index: number): string
}

/** Batches with a resume point: how many records were read, of which version of the list. */
async function* inBatches(
  chunks: AsyncIterable<Records>,
  resume: string | undefined,
  version: string,
): AsyncGenerator<LocationBatch> {
  const cut = resume?.indexOf(' ') ?? -1
  if (resume !== undefined && resume.slice(cut + 1) !== version)
    throw new ResumePointError('the list has changed since')
  const skip = resume === undefined ? 0 : Number(resume.slice(0, cut))
  let done = 0
  for await (const { records, position } of chunks) {
    for (let from = Math.max(0, skip - done); from < records.length; from += batchSize) {
      const locations = records.slice(from, from + batchSize)
      yield {
        locations,
        resume: `${done + from + locations.length} ${version}`,
        position: (index) => position(from + index),
      }
    }
    done += records.length
  }
}

// --- where a list is ---

interface List {
  /** As messages have it. */
  readonly name: string
  readonly format: Format
  /** Its text from the start; more than once only where `again` is true. */
  text(): AsyncGenerator<string>
  readonly again: boolean
  /** Another one once the list has been changed. */
  version(): Promise<string>
  /** The resume point, or a ResumePointError where reading can't go on anywhere. */
  resumable(resume: string | undefined): string | undefined
}

async function fileList(given: Options, path: string, signal: AbortSignal): Promise<List> {
  const unreadable = (why: string, cause?: unknown): ConfigurationError =>
    new ConfigurationError(`The list ${path} can't be read: ${why}.`, {
      hint: 'Correct source.file; a relative path starts at the configuration file.',
      cause,
    })
  const found = await stat(path).catch((thrown: unknown) => {
    throw unreadable(codeOf(thrown) === 'ENOENT' ? 'there is no such file' : toError(thrown).message, thrown)
  })
  if (found.isDirectory()) throw unreadable('it is a folder')
  if (!found.isFile())
    throw unreadable('it is a pipe or a device, not a file; `file: "-"` reads what is piped into owm')
  const handle = await openFile(path).catch((thrown: unknown) => {
    throw unreadable(codeOf(thrown) === 'EACCES' ? 'permission is denied' : toError(thrown).message, thrown)
  })
  await handle.close()
  const plain = path.replace(/\.gz$/i, '')
  const format = given.format ?? endings[extname(plain).slice(1).toLowerCase()]
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

/** What standard input gave, for a start that finishes an earlier run before its own: in a file that has no name any more. */
let kept: { file: FileHandle; isWhole: boolean } | undefined

async function* standardInputBytes(signal: AbortSignal): AsyncGenerator<Buffer> {
  if (kept) {
    if (!kept.isWhole) throw new TransientError('standard input could not be read to its end by an earlier run')
    yield* kept.file.createReadStream({ start: 0, autoClose: false, signal })
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'owm-'))
  const file = await openFile(join(folder, 'standard-input'), 'wx+', 0o600)
  await rm(folder, { recursive: true })
  const keeping = { file, isWhole: false }
  kept = keeping
  for await (const chunk of addAbortSignal(signal, process.stdin)) {
    await file.write(chunk)
    yield chunk
  }
  keeping.isWhole = true
}

function standardInput(given: Options, signal: AbortSignal): List {
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
    text: () => decoded(unzipped(standardInputBytes(signal), 'standard input', false), given.encoding),
    again: false,
    version: async () => 'standard input',
    resumable(resume) {
      if (resume !== undefined) throw new ResumePointError('standard input can be read from its start only')
      return undefined
    },
  }
}

/** Half of one version and half of another is no list. */
async function unchanged(list: List, version: string): Promise<void> {
  const now = await list.version().catch(() => 'gone')
  if (now !== version)
    throw new TransientError(
      `the list ${list.name} was changed while it was read; it is read anew by the next start (write a new list beside it and rename it)`,
    )
}

const damaged = (list: string, what: string, hint: string, cause?: unknown): ConfigurationError =>
  new ConfigurationError(`The list ${list} ${what}.`, { hint, cause })

// --- bytes and text ---

/** Puts the first chunks together until `isEnough` of them are there. */
async function* merged<T extends Buffer | string>(
  chunks: AsyncIterable<T>,
  join: (parts: T[]) => T,
  isEnough: (head: T) => boolean,
): AsyncGenerator<T> {
  let parts: T[] | undefined = []
  for await (const chunk of chunks) {
    if (!parts) yield chunk
    else {
      parts.push(chunk)
      const head = join(parts)
      if (!isEnough(head)) continue
      parts = undefined
      yield head
    }
  }
  if (parts && parts.length > 0) yield join(parts)
}

const joined = (parts: string[]): string => parts.join('')
const hasLine = (text: string): boolean => text.includes('\n') || text.length >= 65_536

/** What gzip has compressed is expanded, whatever the file is called. */
async function* unzipped(input: AsyncIterable<Buffer>, name: string, mustBe: boolean): AsyncGenerator<Buffer> {
  const chunks = merged(input, Buffer.concat, (head) => head.length >= 2)
  const first = await chunks.next()
  const isZipped = first.value?.[0] === 0x1f && first.value[1] === 0x8b
  const hint = 'Make the file anew, or fetch it again.'
  if (mustBe && !isZipped)
    throw damaged(
      name,
      first.done ? 'is empty, though its name ends in .gz' : "isn't gzip's, though its name ends in .gz",
      hint,
    )
  async function* all(): AsyncGenerator<Buffer> {
    if (!first.done) yield first.value
    yield* chunks
  }
  if (!isZipped) return yield* all()
  try {
    yield* pipeline(all(), createGunzip({ chunkSize: 65_536 }), () => undefined)
  } catch (error) {
    throw codeOf(error).startsWith('Z_')
      ? damaged(name, `is damaged or incomplete: ${toError(error).message}`, hint, error)
      : error
  }
}

/** Text without its byte order mark; what isn't valid in the encoding becomes U+FFFD. */
async function* decoded(bytes: AsyncIterable<Buffer>, encoding: string | undefined): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined
  for await (const chunk of merged(bytes, Buffer.concat, (head) => head.length >= 2)) {
    decoder ??= new TextDecoder(encoding ?? encodingOf(chunk))
    yield decoder.decode(chunk, { stream: true })
  }
  const rest = decoder?.decode()
  if (rest) yield rest
}

/** By its byte order mark; or by the zero beside the first character, which is ASCII in nearly every list. */
function encodingOf([first, second]: Buffer): string {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be'
  return 'utf-8'
}

const misread = (what: string, { encoding }: Options): string =>
  `the ${what} isn't valid ${encoding?.toUpperCase() ?? 'UTF-8'}: source.encoding names another encoding`

// --- records ---

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Makes a location of a record of JSON or YAML; of a GeoJSON feature, too. */
function locationMaker({ fields: chosen }: Options, format?: Format): (value: unknown) => Location | Malformed {
  const named = fieldMapper(chosen)
  return (value) => {
    const wrong = (reason: string): Malformed => new Malformed(JSON.stringify(value) ?? '', reason)
    if (!isObject(value)) return wrong('a location must be an object')
    if (value['type'] !== 'Feature' || !('geometry' in value))
      return format === 'geojson' ? wrong('it is no GeoJSON feature') : named(value)
    const { id, geometry, properties } = value
    if (!isObject(geometry)) return wrong('the feature has no geometry')
    const { type, coordinates } = geometry
    if (type !== 'Point') return wrong(`the feature's geometry must be a Point, not a ${String(type)}`)
    const [longitude, latitude]: unknown[] = Array.isArray(coordinates) ? coordinates : []
    if (longitude === undefined || latitude === undefined) return wrong('the Point has no longitude and latitude')
    return named({
      ...(id === undefined ? {} : { id }),
      ...(isObject(properties) ? properties : {}),
      longitude,
      latitude,
    })
  }
}

/** Arrays of whole lines, without their ends; of CRLF the CR stays. */
async function* linesOf(text: AsyncIterable<string>, list: string): AsyncGenerator<string[]> {
  let end: string | undefined
  let rest = ''
  let done = 0
  for await (const chunk of merged(text, joined, hasLine)) {
    end ??= chunk.includes('\n') || !chunk.includes('\r') ? '\n' : '\r'
    const lines = (rest + chunk).split(end)
    rest = lines.pop() ?? ''
    done += lines.length
    if (rest.length > maxRecord)
      throw damaged(list, `has a line ${done + 1} of more than ${maxRecord} characters`, 'Is source.format right?')
    yield lines
  }
  if (rest !== '') yield [rest]
}

// --- CSV ---

/** The columns of a list, by their own names and by what they mean. */
interface Columns {
  readonly names: readonly string[]
  readonly meanings: readonly string[]
}

/**
 * What stands between quotes is csv-parse's to read; where a record ends is found here, by counting quotes. So
 * a quote too many costs the line that it stands in, not all up to the next one, and lines without any cost little.
 */
async function* readCsv({ name, format, text }: List, given: Options): AsyncGenerator<Records> {
  const { parse } = await import('csv-parse/sync')
  const { quote } = given
  let delimiter = given.delimiter ?? (format === 'tsv' ? '\t' : undefined)
  let columns = given.header && columnsOf(given.header, given, name)
  let line = 0
  /** The lines of a record whose last quote is open yet. */
  let open: string[] = []
  let size = 0
  let found: { records: (Location | Malformed)[]; lines: number[] } = { records: [], lines: [] }
  /** Records with quotes, and where in `found` they belong: read all at once, unless one of them is wrong. */
  let quoted: { at: number; record: string }[] | undefined

  const cellsOf = (records: readonly string[]): string[][] =>
    parse(records.join('\n'), {
      delimiter: delimiter ?? ',',
      quote,
      escape: quote,
      record_delimiter: '\n',
      relax_column_count: true,
    })
  const add = (record: Location | Malformed, at: number): void => {
    found.records.push(record)
    found.lines.push(at)
  }

  /** One whole record. False where it can't be read. */
  function take(record: string, hasQuotes: boolean, at: number): boolean {
    if (record === '') return true
    if (hasQuotes && quoted && columns) {
      quoted.push({ at: found.records.length, record })
      add(unread, at)
      return true
    }
    let cells: string[] | undefined
    try {
      const [first, ...others] = hasQuotes ? cellsOf([record]) : [record.split(delimiter ?? ',')]
      cells = others.length === 0 ? first : undefined
    } catch {
      return false
    }
    if (!cells) return false
    if (columns) add(rowOf(cells, columns, record, given), at)
    else columns = columnsOf(cells, given, name)
    return true
  }

  function reject(record: string, at: number): void {
    if (!columns)
      throw damaged(
        name,
        `has a quote that is never closed in its header, line ${at}`,
        'Correct it, or set source.quote.',
      )
    add(
      new Malformed(
        record,
        'a quote in this line is never closed, or more follows a closing one: source.quote sets another, or none',
      ),
      at,
    )
  }

  function feed(lines: readonly string[]): void {
    for (const raw of lines) {
      line++
      const quotes = quote === '' ? 0 : occurrences(quote, raw)
      if (open.length === 0 && quotes % 2 === 0) {
        const record = raw.endsWith('\r') ? raw.slice(0, -1) : raw
        if (!take(record, quotes > 0, line)) reject(record, line)
        continue
      }
      size = open.push(raw) === 1 ? raw.length : size + raw.length
      const isClosed = open.length > 1 && quotes % 2 === 1
      if (!isClosed && size < maxRecord) continue
      if (isClosed && take(open.join('\n').replace(/\r$/, ''), true, line - open.length + 1)) open = []
      else again()
    }
  }

  /** The first of the open lines is given up; the others are lines of their own. */
  function again(): void {
    const [first = '', ...others] = open
    line -= open.length
    reject(first, ++line)
    open = []
    feed(others)
  }

  function chunk(work: () => void): Records {
    const before = { columns, line, open: [...open] }
    found = { records: [], lines: [] }
    quoted = []
    work()
    try {
      const rows = quoted.length === 0 ? [] : cellsOf(quoted.map(({ record }) => record))
      if (rows.length !== quoted.length) throw new Error('one of them is wrong')
      for (const [index, { at, record }] of quoted.entries())
        if (columns) found.records[at] = rowOf(rows[index] ?? [], columns, record, given)
    } catch {
      // One by one, to find which.
      quoted = undefined
      found = { records: [], lines: [] }
      columns = before.columns
      line = before.line
      open = before.open
      work()
    }
    const { records, lines } = found
    return { records, position: (index) => `line ${lines[index]}${columnWords(records[index], columns)}` }
  }

  for await (const lines of linesOf(text(), name)) {
    delimiter ??= delimiterOf(
      lines.find((one) => one.trim() !== ''),
      quote,
    )
    yield chunk(() => feed(lines))
  }
  yield chunk(() => {
    while (open.length > 0) again()
  })
  if (!columns)
    throw damaged(
      name,
      'is empty: it has not even a header',
      'The first line must name the columns; or name them with source.header.',
    )
}

/** Stands in for a record until it is read. */
const unread = new Malformed('', '')

function occurrences(part: string, text: string): number {
  let count = 0
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++
  return count
}

/** The separator that a line has most of, outside of quotes. */
function delimiterOf(line: string | undefined, quote: string): string | undefined {
  if (line === undefined) return undefined
  const bare =
    quote === ''
      ? line
      : line
          .split(quote)
          .filter((_, index) => index % 2 === 0)
          .join('')
  const counted = [',', ';', '\t', '|'].map((candidate) => ({ candidate, count: bare.split(candidate).length }))
  return counted.reduce((best, next) => (next.count > best.count ? next : best)).candidate
}

function columnsOf(header: readonly string[], { fields: chosen = {}, header: given }: Options, list: string): Columns {
  // Spreadsheets and data frames leave columns without a name.
  const names = header.map((name, index) => name.trim() || `column_${index + 1}`)
  const inWords = `Its columns are: ${names.join(', ').slice(0, 500)}.`
  const wrong = (what: string, hint: string): ConfigurationError =>
    damaged(list, `${what}, ${given ? 'in source.header' : 'line 1'}`, `${inWords} ${hint}`)
  const lower = names.map((name) => name.toLowerCase())
  const twice = lower.findIndex((name, index) => lower.indexOf(name) < index)
  if (twice >= 0)
    throw wrong(
      `has two columns "${names[twice]}" (columns ${lower.indexOf(lower[twice] ?? '') + 1} and ${twice + 1})`,
      'Give one of them another name.',
    )
  const meanings = meaningOf(names, chosen)
  for (const [key, column] of Object.entries(chosen)) {
    if (meanings.includes(key)) continue
    const near = nearest(column, names)
    throw wrong(
      `has no column "${column}", which source.fields names for the ${key}`,
      near ? `Did you mean "${near}"?` : 'Correct source.fields.',
    )
  }
  for (const [needed, likely] of [
    ['latitude', /lat|^y$/i],
    ['longitude', /lon|lng|^x$/i],
    ['city', /name|city|town|place/i],
  ] as const) {
    if (meanings.includes(needed)) continue
    const free = names.filter((name, index) => meanings[index] === name)
    const near = free.find((name) => likely.test(name)) ?? nearest(needed, free)
    throw wrong(
      `has no column for the ${needed}`,
      `${near ? `Is it "${near}"? ` : ''}Map it, fields: {${needed}: ${near ?? 'COLUMN'}}${given ? '' : ', or name the columns with source.header if the file has no header'}.`,
    )
  }
  return { names, meanings }
}

function rowOf(
  cells: readonly string[],
  { names, meanings }: Columns,
  record: string,
  given: Options,
): Location | Malformed {
  if (cells.length !== meanings.length)
    return new Malformed(record, `the row has ${cells.length} columns, the header ${meanings.length}`)
  if (record.includes('\ufffd'))
    return new Malformed(record, misread(`column ${names[cells.findIndex((cell) => cell.includes('\ufffd'))]}`, given))
  const location = new Bare()
  for (let column = 0; column < cells.length; column++) location[meanings[column] ?? ''] = cells[column]
  return location
}

/** `, column "lat"` where that is what keeps a row from being a task: its reason begins with the name of the field. */
function columnWords(record: Location | Malformed | undefined, columns: Columns | undefined): string {
  if (record === undefined || record instanceof Malformed || !columns) return ''
  const place = placeOf(record)
  const column = place instanceof Rejection ? columns.meanings.indexOf(place.field ?? '') : -1
  return column < 0 ? '' : `, column "${columns.names[column]}"`
}

// --- NDJSON ---

async function* readNdjson({ name, text, format }: List, given: Options): AsyncGenerator<Records> {
  const locationOf = locationMaker(given, format)
  let number = 0
  for await (const chunk of linesOf(text(), name)) {
    const records: (Location | Malformed)[] = []
    const lines: number[] = []
    for (const raw of chunk)
      for (const line of raw.includes('\r') ? raw.replace(/\r$/, '').split('\r') : [raw]) {
        number++
        if (line.trim() === '') continue
        records.push(fromLine(line, locationOf, given))
        lines.push(number)
      }
    yield { records, position: (index) => `line ${lines[index]}` }
  }
}

function fromLine(
  line: string,
  locationOf: (value: unknown) => Location | Malformed,
  given: Options,
): Location | Malformed {
  if (line.includes('\ufffd')) return new Malformed(line, misread('line', given))
  try {
    // Of files that were put together: a byte order mark, or the separator of RFC 8142.
    return locationOf(JSON.parse(line.startsWith('\ufeff') || line.startsWith('\u001e') ? line.slice(1) : line))
  } catch (error) {
    return new Malformed(line, `the line isn't JSON: ${toError(error).message}`)
  }
}

// --- JSON ---

async function* readJson(list: List, given: Options): AsyncGenerator<Records> {
  const { Tokenizer, TokenParser, TokenType } = await import('@streamparser/json')
  const locationOf = locationMaker(given, list.format)
  const tokenizer = new Tokenizer()
  let parser: InstanceType<typeof TokenParser> | undefined
  let items: string | undefined
  let total = 0
  let line = 1
  let begin = 1
  let records: (Location | Malformed)[] = []
  let lines: number[] = []
  let isSuspicious = false

  for await (const chunk of merged(list.text(), joined, (head) => head.trim() !== '')) {
    if (!parser) {
      const first = chunk.trimStart()[0]
      if (first !== '[' && first !== '{') throw damaged(list.name, "isn't an array", jsonHint)
      if (first === '{')
        items = given.items ?? (list.format === 'geojson' ? 'features' : onlyOne(await listsIn(list), list.name))
      const start = new TokenParser({ paths: [items === undefined ? '$.*' : `$.${items}.*`], keepStack: false })
      const recordDepth = items === undefined ? 1 : items.split('.').length + 1
      let depth = 0
      tokenizer.onToken = (token) => {
        const { token: type } = token
        if (depth === recordDepth) begin = line
        if (type === TokenType.LEFT_BRACE || type === TokenType.LEFT_BRACKET) depth++
        else if (type === TokenType.RIGHT_BRACE || type === TokenType.RIGHT_BRACKET) depth--
        start.write(token)
      }
      start.onValue = ({ value, key }) => {
        if (typeof key !== 'number') return // a member of an object that stands where the list should
        const isText = !isSuspicious || !JSON.stringify(value)?.includes('\ufffd')
        records.push(isText ? locationOf(value) : new Malformed(JSON.stringify(value), misread('record', given)))
        lines.push(begin)
      }
      parser = start
    }
    isSuspicious ||= chunk.includes('\ufffd')
    try {
      // A line at a time, to know which one it is.
      const bytes = Buffer.from(chunk)
      for (let from = 0, to = 0; from < bytes.length; from = to) {
        to = bytes.indexOf('\n', from) + 1 || bytes.length
        tokenizer.write(bytes.subarray(from, to))
        if (bytes[to - 1] === 10) line++
      }
    } catch (error) {
      throw damaged(list.name, `isn't valid JSON, line ${line}: ${toError(error).message}`, jsonHint, error)
    }
    const [first, places] = [total, lines]
    yield { records, position: (index) => `${items ?? ''}[${first + index}], line ${places[index]}` }
    total += records.length
    records = []
    lines = []
  }
  if (!parser?.isEnded) throw damaged(list.name, 'ends before its array does', jsonHint)
  if (items !== undefined && total === 0) {
    const found = list.again ? await listsIn(list) : new Map<string, Held>()
    if (!found.has(items)) throw noList(items, found, list.name)
  }
}

const jsonHint =
  'A JSON list is one array of objects, or an object that holds one; for one object a line, set source.format to ndjson.'

type Held = 'nothing' | 'objects' | 'something else'

/** The arrays in a JSON object by their paths, those inside of arrays left out. */
async function listsIn(list: List): Promise<Map<string, Held>> {
  if (!list.again)
    throw damaged(
      list.name,
      'is an object, which can be searched for its list in a file only',
      'Set source.items to the name of the list in it.',
    )
  const { Tokenizer, TokenType } = await import('@streamparser/json')
  const found = new Map<string, Held>()
  /** Of each open bracket; no path where source.items couldn't name it. */
  const open: { isArray: boolean; path: string | undefined }[] = []
  let key = ''
  const tokenizer = new Tokenizer()
  tokenizer.onToken = ({ token, value }) => {
    const top = open.at(-1)
    const isArray = token === TokenType.LEFT_BRACKET
    if (token === TokenType.RIGHT_BRACE || token === TokenType.RIGHT_BRACKET) open.pop()
    else if (top?.isArray) {
      if (top.path !== undefined && token !== TokenType.COMMA && found.get(top.path) !== 'objects')
        found.set(top.path, token === TokenType.LEFT_BRACE ? 'objects' : 'something else')
    } else if (token === TokenType.STRING) key = String(value)
    if (!isArray && token !== TokenType.LEFT_BRACE) return
    const path =
      top === undefined
        ? ''
        : top.isArray || top.path === undefined || /^$|[.*]/.test(key)
          ? undefined
          : top.path === ''
            ? key
            : `${top.path}.${key}`
    if (isArray && path !== undefined) found.set(path, 'nothing')
    open.push({ isArray, path })
  }
  try {
    for await (const chunk of list.text()) tokenizer.write(chunk)
  } catch (error) {
    throw error instanceof Error && error.name === 'TokenizerError'
      ? damaged(list.name, `isn't valid JSON: ${error.message}`, jsonHint, error)
      : error
  }
  return found
}

/** The one list that an object holds. */
function onlyOne(found: ReadonlyMap<string, Held>, list: string): string {
  const [ofObjects, empty] = (['objects', 'nothing'] as const).map((wanted) =>
    [...found].filter(([, held]) => held === wanted).map(([path]) => path),
  )
  const [one, ...others] = ofObjects?.length ? ofObjects : (empty ?? [])
  if (one === undefined) throw damaged(list, "isn't an array, and holds no array of objects", jsonHint)
  if (others.length > 0)
    throw damaged(list, `holds more than one list: ${[one, ...others].join(', ')}`, `Set source.items to one of them.`)
  return one
}

function noList(items: string, found: ReadonlyMap<string, Held>, list: string): ConfigurationError {
  const near = nearest(items, [...found.keys()])
  return damaged(
    list,
    `has no list "${items}"`,
    near
      ? `Did you mean source.items: ${near}?`
      : `Set source.items to one of those it has: ${[...found.keys()].join(', ') || 'none'}.`,
  )
}

// --- YAML ---

async function* readYaml({ name, text, format }: List, given: Options): AsyncGenerator<Records> {
  const { LineCounter, isMap, isNode, isSeq, parseAllDocuments } = (await import('yaml')).default
  const locationOf = locationMaker(given, format)
  let whole = ''
  for await (const chunk of text()) {
    whole += chunk
    if (whole.length > maxYaml)
      throw damaged(
        name,
        `has more than ${maxYaml} characters, the most for YAML`,
        'YAML is read as a whole: keep a long list as CSV or NDJSON.',
      )
  }
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(whole, { lineCounter })
  const records: (Location | Malformed)[] = []
  const lines: (number | undefined)[] = []
  for (const document of documents) {
    const [error] = document.errors
    if (error)
      throw damaged(
        name,
        `isn't valid YAML: ${error.message.split('\n', 1)[0]}`,
        'A YAML list is one sequence of mappings.',
        error,
      )
    const { contents } = document
    if (contents === null) continue
    let items: readonly unknown[] | undefined = isSeq(contents) ? contents.items : undefined
    if (isMap(contents)) {
      const found = new Map<string, Held>()
      for (const { key, value } of contents.items)
        if (isSeq(value))
          found.set(
            String(key),
            value.items.some(isMap) ? 'objects' : value.items.length === 0 ? 'nothing' : 'something else',
          )
      const path = given.items ?? (documents.length > 1 ? undefined : onlyOne(found, name))
      const list = path === undefined ? undefined : document.getIn(path.split('.'))
      if (path !== undefined && !isSeq(list)) throw noList(path, found, name)
      // A document a record, or a list.
      items = isSeq(list) ? list.items : [contents]
    }
    if (!items) throw damaged(name, "isn't a sequence", 'A YAML list is one sequence of mappings.')
    for (const item of items) {
      const value: unknown = isNode(item) ? item.toJS(document) : item
      const isText = !JSON.stringify(value)?.includes('\ufffd')
      records.push(isText ? locationOf(value) : new Malformed(JSON.stringify(value), misread('record', given)))
      lines.push(isNode(item) && item.range ? lineCounter.linePos(item.range[0]).line : undefined)
    }
  }
  yield { records, position: (index) => `[${index}], line ${lines[index] ?? '?'}` }
}
