/** The header of a CSV list. */
import { ConfigurationError } from '../../../errors/index.js'
import { axes } from '../../fields/degrees.js'
import { likelyFor } from '../../fields/judge/likely.js'
import type { Mapping, Plan } from '../../fields/mapping.js'
import { columnName, mustDiffer } from '../header.js'
import { damaged, titleOf } from '../records.js'

interface HeaderTerms {
  readonly list: string
  readonly mapping: Mapping
  /** Ends the message: `, line 1`. */
  readonly where: string
  /** The line of the header, from 1; undefined for source.header. */
  readonly line: number | undefined
  /** The cells of the lines after it, as far as they are known. */
  readonly following: readonly (readonly string[])[]
}

/** For a hint, so many lines after the first are searched for the header. */
const linesToSearch = 40

/** The columns that a header names. Throws ConfigurationError if they can't be those of a list of places. */
export function columnsOf(header: readonly string[], terms: HeaderTerms): Plan {
  const { mapping, where, following } = terms
  const names = header.map(columnName)
  if (names.some((name) => name.includes('\ufffd')))
    throw damaged(
      terms.list,
      `has a header that isn't valid in its encoding${where}: ${names.join(', ').slice(0, 200)}`,
      'Name its encoding in source.encoding, such as windows-1252.',
    )
  mustDiffer(names, titleOf(terms.list), where)
  try {
    return mapping.declare(names, where, following[0])
  } catch (error) {
    if (!(error instanceof ConfigurationError) || terms.line === undefined) throw error
    const inHeader = `${error.hint ?? ''} Or name the columns with source.header if the file has no header.`
    throw new ConfigurationError(error.message, {
      hint: laterHeader(header, terms) ?? spacedColumns(header, terms) ?? inHeader,
      cause: error,
    })
  }
}

const dashes = /^\s*[-=]+(\s+[-=]+)+\s*$/

/** A hint if the only column is several, separated by spaces. */
function spacedColumns([only = '', ...others]: readonly string[], terms: HeaderTerms): string | undefined {
  const { mapping, line = 1 } = terms
  const names = cellsOf(only)
  const isHeader =
    mapping.seemsPlace(Object.fromEntries(names.map((name) => [name, '']))) ||
    axes.every((axis) => likelyFor(axis, names) !== undefined)
  const isRow = names.filter((name) => /^[+-]?\d+\.\d+$/.test(name)).length >= 2
  if (others.length > 0 || !(isHeader || isRow)) return undefined
  const header = isRow ? ', and name the columns with source.header' : ''
  const following = terms.following.map((cells) => cells.join(',')).filter((row) => row.trim() !== '')
  const hasDashes = dashes.test(following[0] ?? '')
  // If names of places have spaces as well, only fixed positions show where a column ends.
  if (hasDashes || following.some((row) => cellsOf(row).length !== names.length)) {
    const skipped = isRow ? '' : ` Its header is skipped with source.skipLines: ${hasDashes ? line + 1 : line}.`
    const parts = (hasDashes && partsOf(following)) || 'substr($0, FROM, LENGTH), substr($0, FROM, LENGTH), …'
    return (
      'Its columns seem to have fixed places in a line: cut them out there, as ' +
      `\`LC_ALL=C.UTF-8 gawk -v OFS='|' '{print ${parts}}' FILE\` does, and name them with source.header. ` +
      'It counts characters; cut and mawk count bytes, and an umlaut has two.' +
      skipped
    )
  }
  return (
    `Its columns seem to have spaces between them: set source.delimiter to " "${header}; ` +
    "where there are several, make them one first: `tr -s ' ' < FILE`."
  )
}

/**
 * The columns that a line of dashes underlines, as awk cuts them out: `substr($0, 1, 7), substr($0, 9)`. Undefined if a
 * row has values between them, as those of DWD have.
 */
function partsOf([line = '', ...rows]: readonly string[]): string | undefined {
  const gaps = [...line].flatMap((each, index) => (each === ' ' ? [index] : []))
  const fits = rows.map((row) => [...row]).every((row) => gaps.every((index) => (row[index] ?? ' ') === ' '))
  if (!fits) return undefined
  const runs = [...line.matchAll(/[-=]+/g)]
  const parts = runs.map(({ 0: dashes, index }) => `substr($0, ${index + 1}, ${dashes.length})`)
  // The last value may be longer than its dashes.
  return parts.with(-1, `substr($0, ${(runs.at(-1)?.index ?? 0) + 1})`).join(', ')
}

const cellsOf = (text: string): string[] => text.trim().split(/\s+/)

/** A hint if a later line looks like the header. */
function laterHeader(
  [first = '']: readonly string[],
  { mapping, line = 1, following }: HeaderTerms,
): string | undefined {
  const at = following
    .slice(0, linesToSearch)
    .findIndex((cells) => mapping.seemsPlace(Object.fromEntries(cells.map((cell) => [cell, '']))))
  const mark = /^\s*(#|%|\/\/)/.exec(first)?.[1]
  if (at < 0) return undefined
  if (mark !== undefined) return `Set source.comment to "${mark}", if lines that begin so are no rows.`
  return `Is line ${line + at + 1} the header? Then set source.skipLines to ${line + at}.`
}
