/** Whether an answer lacks the header that the first page had. */
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

/** Whether at least two values begin like numbers: no header has those. */
export const isRow = (values: readonly unknown[]): boolean =>
  values.filter((value) => /^[\s"'[]*[+-]?\d/.test(String(value))).length >= 2
