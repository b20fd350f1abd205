/** Whether an answer lacks the header that the page before it had. */
import type { Options } from '../options.js'

const lineEnd = /\r\n|\n|\r/

/** Whether the place of the header is taken by a row. */
export function isHeadless(text: string, { header, skipLines, comment }: Options): boolean {
  const first = text
    .split(lineEnd)
    .slice(skipLines ?? 0)
    .find((line) => line.trim() !== '' && (comment === undefined || !line.startsWith(comment)))
  return header === undefined && isRow(first?.split(/[,;\t|]/) ?? [])
}

/** Whether at least two values begin as numbers do: no header has those. */
export const isRow = (values: readonly unknown[]): boolean =>
  values.filter((value) => /^[\s"'[]*[+-]?\d/.test(String(value))).length >= 2
