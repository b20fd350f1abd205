/** What a file is by its first bytes, where it is nothing that owm reads. */

/** In words, and what helps. */
export interface Signature {
  readonly what: string
  readonly hint: string
}

const unpack = (command: string): string => `Unpack it first: \`${command}\`.`

const signatures: readonly (readonly [hex: string, what: string, hint: string])[] = [
  ['fd377a585a00', 'an xz archive', unpack('xz -dk FILE')],
  ['28b52ffd', 'a zstd archive', unpack('zstd -d FILE')],
  ['377abcaf271c', 'a 7-Zip archive', unpack('7z x FILE')],
  ['526172211a07', 'a RAR archive', unpack('unrar x FILE')],
  ['1f9d', 'a file of compress (.Z)', unpack('uncompress FILE')],
  ['04224d18', 'an lz4 archive', unpack('lz4 -d FILE')],
  ['d0cf11e0a1b11ae1', 'an Excel workbook (xls)', 'Save it as CSV UTF-8 in the spreadsheet.'],
  ['53514c69746520666f726d6174203300', 'a SQLite database', 'Read it with the source sql: `use: sql`, `url: FILE`.'],
  ['50415231', 'a Parquet file', 'Convert it to CSV or NDJSON, for example with DuckDB.'],
  ['25504446', 'a PDF', 'Get the list as CSV or JSON.'],
]

/** No text has them, in UTF-16 either. */
const zeros = Buffer.alloc(4)

/** What the bytes begin with; undefined for text, and for gzip, which owm expands. */
export function signatureOf(head: Buffer): Signature | undefined {
  if (/^504b0(304|506)/.test(head.subarray(0, 4).toString('hex'))) return zipped(head)
  const hex = head.subarray(0, 32).toString('hex')
  if (/^425a683[1-9]314159265359/.test(hex)) return { what: 'a bzip2 archive', hint: unpack('bzip2 -dk FILE') }
  const found = signatures.find(([start]) => hex.startsWith(start))
  if (found) return { what: found[1], hint: found[2] }
  if (head.subarray(257, 262).toString() === 'ustar') return { what: 'a tar archive', hint: unpack('tar -xf FILE') }
  const isGzip = hex.startsWith('1f8b')
  if (!isGzip && head.subarray(0, 4096).includes(zeros))
    return { what: 'binary, not text', hint: 'Convert it to CSV, JSON or GeoJSON; places on maps, with ogr2ogr.' }
  return pageOf(head.subarray(0, 512).toString('latin1').trimStart())
}

/** A zip archive, or one of the formats that are zip archives. */
function zipped(head: Buffer): Signature {
  const text = head.toString('latin1')
  if (/\[Content_Types\]\.xml|xl\/|_rels\/\.rels/.test(text))
    return { what: 'an Excel workbook (xlsx)', hint: 'Save it as CSV UTF-8 in the spreadsheet.' }
  if (text.includes('opendocument.spreadsheet'))
    return { what: 'an OpenDocument spreadsheet (ods)', hint: 'Save it as CSV in the spreadsheet.' }
  if (/doc\.kml/.test(text)) return { what: 'a KMZ archive', hint: 'Convert it: `ogr2ogr places.geojson FILE`.' }
  return {
    what: 'a zip archive',
    hint: `${unpack('unzip FILE')} Or pipe one file of it: \`unzip -p FILE | owm produce …\`.`,
  }
}

function pageOf(text: string): Signature | undefined {
  const start = text.replace(/^(ï»¿|\ufeff)/, '')
  if (/^<(!doctype\s+html|html|head)\b/i.test(start))
    return {
      what: 'a web page (HTML), not a list',
      hint: 'Fetch the list itself: it may need a login, or another address.',
    }
  if (/^<(\?xml|kml|gpx|osm)\b/i.test(start))
    return { what: 'XML', hint: 'Convert it to CSV, JSON or GeoJSON, for example with ogr2ogr.' }
  return undefined
}
