/** The options of every source that reads the user's own columns or keys. */
import * as z from 'zod'

export const fieldOptions = {
  fields: z
    .record(z.string().min(1), z.string().min(1))
    .refine(
      (fields) => !('coordinates' in fields && ('latitude' in fields || 'longitude' in fields)),
      'give `coordinates`, or `latitude` and `longitude`',
    )
    .optional()
    .describe(
      "which column or key holds what, `latitude: geo.lat`: owm's name on the left, the source's own on the right; " +
        'usual names are known; `coordinates` is one that holds both, as "lat, lon" or WKT',
    ),
  columns: z
    .array(z.string().min(1))
    .optional()
    .describe('which other columns or keys travel with a task, and can be filtered by; by default all'),
  nulls: z
    .array(z.union([z.string(), z.number(), z.null()]))
    .optional()
    .describe('values that stand for none, such as NULL, N/A, - or -9999; by default \\N in CSV and TSV'),
  coordinates: z
    .enum(['lat-lon', 'lon-lat'])
    .optional()
    .describe('the order in the one that `fields.coordinates` names; WKT and GeoJSON have their own'),
  decimal: z
    .enum(['.', ','])
    .optional()
    .describe('what stands before the decimals of a coordinate; a point by default'),
  dms: z
    .boolean()
    .optional()
    .describe('whether coordinates may have a degree sign, minutes and seconds, or N, S, E, W: 41° 15\' 44" N'),
  longitudes: z
    .enum(['-180..180', '0..360'])
    .optional()
    .describe('how longitudes are counted; with 0..360 those beyond 180 are west'),
  rejectNullIsland: z
    .boolean()
    .optional()
    .describe('whether a place at 0, 0 is rejected: mostly it is one whose coordinates are missing'),
}

const schema = z.object(fieldOptions)
export type FieldOptions = z.output<typeof schema>

/** owm's name -> the source's own. */
export type Fields = FieldOptions['fields']
