/** Recognises types of files that owm doesn't read, by their first bytes, or their endings. */
import { extname } from 'node:path'

export class Signature {
  readonly what: string
  readonly hint: string

  constructor(what: string, hint: string) {
    this.what = what
    this.hint = hint
  }
}

const unpack = (command: string): string => `Unpack it first: \`${command}\`.`

const signatures: readonly (readonly [hex: string, is: Signature])[] = [
  ['fd377a585a00', new Signature('an xz archive', unpack('xz -dk FILE'))],
  ['28b52ffd', new Signature('a zstd archive', unpack('zstd -d FILE'))],
  ['377abcaf271c', new Signature('a 7-Zip archive', unpack('7z x FILE'))],
  ['526172211a07', new Signature('a RAR archive', unpack('unrar x FILE'))],
  ['1f9d', new Signature('a file of compress (.Z)', unpack('uncompress FILE'))],
  ['04224d18', new Signature('an lz4 archive', unpack('lz4 -d FILE'))],
  ['d0cf11e0a1b11ae1', new Signature('an Excel workbook (xls)', 'Save it as CSV UTF-8 in the spreadsheet.')],
  [
    '53514c69746520666f726d6174203300',
    new Signature('a SQLite database', 'Read it with the source sql: `use: sql`, `url: FILE`.'),
  ],
  ['50415231', new Signature('a Parquet file', 'Convert it to CSV or NDJSON, for example with DuckDB.')],
  ['25504446', new Signature('a PDF document', 'Get the list as CSV or JSON.')],
]

const commented = new Signature(
  'JSON with comments (JSON5, JSONC)',
  'Make it plain JSON: without comments, single quotes and commas behind a last value.',
)
const toml = new Signature('a TOML document', 'Convert it to JSON or YAML.')
const endings: Readonly<Record<string, Signature>> = { '.json5': commented, '.jsonc': commented, '.toml': toml }

/** The type of a file by its ending. */
export const signatureOfEnding = (path: string): Signature | undefined => endings[extname(path).toLowerCase()]

/** The type of a text that is neither JSON nor YAML: of TOML, by a table's name above a key. */
export function dialectOf(text: string): Signature | undefined {
  if (/^\s*\/[/*]/.test(text)) return commented
  return /^\s*\[{1,2}[\w.-]+\]{1,2}\s*\n\s*[\w-]+\s*=/.test(text) ? toml : undefined
}

const utf32 = new Signature('text in UTF-32', 'Make it UTF-8 first: `iconv -f UTF-32 -t UTF-8 FILE`.')
/** A byte order mark, or zeros around the first two characters. */
const isUtf32 = /^(fffe0000|0000feff|(?!00)..000000(?!00)..000000|000000(?!00)..000000(?!00)..)/

/** No text has these, not even in UTF-16. */
const zeros = Buffer.alloc(4)

/** The type of a file by its first bytes; undefined for text, and for gzip, which owm expands. */
export function signatureOf(head: Buffer): Signature | undefined {
  if (/^504b0(304|506)/.test(head.subarray(0, 4).toString('hex'))) return zipped(head)
  const hex = head.subarray(0, 32).toString('hex')
  if (/^425a683[1-9]314159265359/.test(hex)) return new Signature('a bzip2 archive', unpack('bzip2 -dk FILE'))
  if (isUtf32.test(hex)) return utf32
  const found = signatures.find(([start]) => hex.startsWith(start))
  if (found) return found[1]
  if (head.subarray(257, 262).toString() === 'ustar') return new Signature('a tar archive', unpack('tar -xf FILE'))
  const isGzip = hex.startsWith('1f8b')
  if (!isGzip && head.subarray(0, 4096).includes(zeros))
    return new Signature('binary, not text', 'Convert it to CSV, JSON or GeoJSON; places on maps, with ogr2ogr.')
  return pageOf(head.subarray(0, 512).toString('latin1').trimStart())
}

/** A zip archive, or one of the formats that are zip archives. */
function zipped(head: Buffer): Signature {
  const text = head.toString('latin1')
  if (/\[Content_Types\]\.xml|xl\/|_rels\/\.rels/.test(text))
    return new Signature('an Excel workbook (xlsx)', 'Save it as CSV UTF-8 in the spreadsheet.')
  if (text.includes('opendocument.spreadsheet'))
    return new Signature('an OpenDocument spreadsheet (ods)', 'Save it as CSV in the spreadsheet.')
  if (/doc\.kml/.test(text)) return new Signature('a KMZ archive', 'Convert it: `ogr2ogr places.geojson FILE`.')
  return new Signature(
    'a zip archive',
    `${unpack('unzip FILE')} Or pipe one file of it: \`unzip -p FILE | owm produce …\`.`,
  )
}

function pageOf(text: string): Signature | undefined {
  const start = text.replace(/^(ï»¿|\ufeff)/, '')
  if (/^<(!doctype\s+html|html|head)\b/i.test(start))
    return new Signature(
      'a web page (HTML), not a list',
      'Fetch the list itself: it may need a login, or another address.',
    )
  if (/^<(\?xml|kml|gpx|osm)\b/i.test(start))
    return new Signature('an XML document', 'Convert it to CSV, JSON or GeoJSON, for example with ogr2ogr.')
  return undefined
}
