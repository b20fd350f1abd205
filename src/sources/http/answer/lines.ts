/** What is wrong with an answer of lines: it breaks off, or it lacks the header that the page before it had. */
import type { Location, Malformed } from '../../../plugin.js'
import { NoRecord } from '../../formats/records.js'
import { errorInComment } from '../../signs/ending.js'
import type { Options } from '../options.js'

const lineEnd = /\r\n|\n|\r/

/** Why the last record may be a part of one. Many servers don't end the last line: what can be read is whole. */
export function brokenIn(last: Location | Malformed | undefined, text: string): string | undefined {
  if (!(last instanceof NoRecord)) return undefined
  return last.isOpen || !/[\r\n]$/.test(text) ? last.reason : undefined
}

/** What a server that broke off says in a comment behind the last row. */
export function saidBehind(text: string, { comment }: Options): string | undefined {
  const line = text.trimEnd().split(lineEnd).at(-1) ?? ''
  return comment !== undefined && line.startsWith(comment) ? errorInComment(line) : undefined
}

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
