/** Whether an answer is unlike the first page: it lacks its header, or has lines without a value. */
import type { Options } from '../options.js'

const lineEnd = /\r\n|\n|\r/

/** Whether a row is in place of the header. */
export function isHeadless(text: string, { header, skipLines, comment }: Options): boolean {
  const first = text
    .split(lineEnd)
    .slice(skipLines ?? 0)
    .find((line) => line.trim() !== '' && (comment === undefined || !line.startsWith(comment)))
  return header === undefined && isRow(first?.split(/[,;\t|]/) ?? [])
}

/** Why text without any record may be no empty page of a list: `{}`. */
export const oddIn = (text: string, { format, layout }: Options): string | undefined =>
  text.trim() === '' || format !== 'ndjson' || layout === 'rows' ? undefined : 'its lines have no values'

/** Whether at least two values begin like numbers: no header has those. */
export const isRow = (values: readonly unknown[]): boolean =>
  values.filter((value) => /^[\s"'[]*[+-]?\d/.test(String(value))).length >= 2
