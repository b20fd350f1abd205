/** The options of the source `static-list`. */
import * as z from 'zod'
import { fieldOptions } from '../fields/options.js'
import { csvOptions } from '../formats/csv/options.js'
import { layout } from '../formats/layout.js'
import { formats } from '../formats/records.js'
import { encoding } from '../formats/text.js'

export const options = z
  .strictObject({
    locations: z.array(z.looseObject({})).optional().describe('the locations themselves'),
    file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'a file of locations, as CSV, TSV, JSON, NDJSON, GeoJSON or YAML, each also compressed by gzip; ' +
          '`-` is standard input, which needs `format`',
      ),
    format: z.enum(formats).optional().describe("the file's format, where its ending (before `.gz`) doesn't say"),
    ...fieldOptions,
    items: z
      .string()
      .regex(/^[^.*]+(\.[^.*]+)*$/, 'names with dots between them are expected')
      .optional()
      .describe('where in a JSON or YAML object the list is, `data.cities`; found where there is only one'),
    layout,
    whole: z
      .boolean()
      .optional()
      .describe(
        'whether a JSON or YAML object is the whole list, whatever it says itself of a total, of more pages ' +
          'or of an error',
      ),
    encoding: encoding("the file's", 'what a byte order mark says, or UTF-8'),
    ...csvOptions,
  })
  .refine(
    ({ locations, file }) => (locations === undefined) !== (file === undefined),
    'give either `locations` or `file`',
  )
  .meta({ examples: [{ file: './locations.csv' }] })

export type Options = z.output<typeof options>
