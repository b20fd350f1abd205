/**
 * A static list: in the configuration itself, in a file, or on standard input.
 *
 * A list is a stream of bytes that becomes text and then, chunk by chunk, arrays of records. So memory doesn't grow
 * with its length (except for YAML, which is one document), and no record costs an iterator's step.
 */
import { resolve } from 'node:path'
import { defineSource, type LocationBatch, type Logger, type Source } from '../../plugin.js'
import { Mapping } from '../fields/mapping.js'
import { readCsv } from '../formats/csv/index.js'
import { readJson } from '../formats/json/index.js'
import { readNdjson } from '../formats/ndjson.js'
import { RecordReader } from '../formats/record.js'
import { isTable, Placed, type Records, titleOf, withNulls } from '../formats/records.js'
import { readYaml } from '../formats/yaml.js'
import { inBatches } from './checkpoint.js'
import { endingOf } from './ending.js'
import { fileList, type List, mustBeUnchanged } from './file.js'
import { judged } from './judged.js'
import { type Options, options } from './options.js'
import { standardInput } from './standard-input.js'

const readers = {
  csv: readCsv,
  tsv: readCsv,
  json: readJson,
  ndjson: readNdjson,
  geojson: readJson,
  yaml: readYaml,
}

export default defineSource({
  name: 'static-list',
  description:
    'locations in the configuration, in a file (CSV, TSV, JSON, NDJSON, GeoJSON or YAML, also as .gz) ' +
    'or on standard input',
  options,
  async open(given, { baseDir, signal, log }): Promise<Source> {
    const { file } = given
    if (file === undefined) return inline(given, log)
    const list = file === '-' ? standardInput(given, signal) : await fileList(given, resolve(baseDir, file), signal)
    return { read: (resume) => read(list, given, resume, log) }
  },
})

function inline(given: Options, log: Logger): Source {
  const { locations = [] } = given
  async function* all(mapping: Mapping): AsyncGenerator<Records> {
    const reader = new RecordReader(given, mapping, { title: 'source.locations', isGeoJson: false })
    const placed = new Placed<number>()
    for (const [index, value] of locations.entries()) placed.add(reader.read({ value, key: undefined }), index)
    yield { records: placed.records, position: (index) => `locations[${placed.placeOf(index)}]` }
  }
  return {
    total: locations.length,
    read(resume) {
      const mapping = new Mapping(given, { title: 'source.locations', thing: 'key', log })
      return inBatches(judged(all(mapping), mapping), resume, 'inline')
    },
  }
}

async function* read(
  list: List,
  given: Options,
  resume: string | undefined,
  log: Logger,
): AsyncGenerator<LocationBatch> {
  const version = await list.version()
  const settings = withNulls(given, list.format)
  const thing = isTable(list.format) ? 'column' : 'key'
  const mapping = new Mapping(settings, { title: titleOf(list.name), thing, log })
  const ending = endingOf(list, settings)
  const chunks = judged(readers[list.format](ending.list, settings, mapping), mapping, ending.check)
  try {
    yield* inBatches(chunks, list.resumable(resume), version)
  } catch (error) {
    await mustBeUnchanged(list, version)
    throw error
  }
  await mustBeUnchanged(list, version)
}
