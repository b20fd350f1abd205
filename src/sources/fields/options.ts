/** The options of every source that reads somebody's own columns or keys. */
import { z } from 'zod'

export const fields = z
  .record(z.string().min(1), z.string().min(1))
  .optional()
  .describe(
    "which column or key holds what, `latitude: geo.lat`: owm's name on the left, the source's own on the right; " +
      'usual names are known',
  )

/** owm's name -> the source's own. */
export type Fields = z.output<typeof fields>
