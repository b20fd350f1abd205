/** The options of CSV and TSV. */
import * as z from 'zod'
import type { FieldOptions } from '../../fields/options.js'

export const csvOptions = {
  delimiter: z
    .string()
    .min(1)
    .max(4)
    .optional()
    .describe('what separates CSV columns; by default found in the first lines, or named by a line `sep=;`'),
  quote: z
    .string()
    .max(1)
    .default('"')
    .describe('what encloses CSV values that hold a delimiter or a line break; empty where nothing does'),
  escape: z
    .string()
    .length(1)
    .optional()
    .describe('what stands before a quote inside of a CSV value, such as \\; by default another quote'),
  header: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('the names of the columns of a list that has no header, or instead of those in its header'),
  skipLines: z
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe('lines before the header of a CSV list, or before its first row'),
  comment: z
    .string()
    .min(1)
    .max(4)
    .optional()
    .describe('what a line of a CSV list begins with that is no row, such as #'),
}

const schema = z.object(csvOptions)

/** `quote` may be missing, if the options weren't parsed by this schema. */
export type CsvOptions = FieldOptions &
  Omit<z.output<typeof schema>, 'quote'> & {
    readonly quote?: string | undefined
    readonly encoding?: string | undefined
  }
