/** The header of a CSV list. */
import { ConfigurationError } from '../../../errors/index.js'
import { likelyFor } from '../../fields/judge/likely.js'
import type { Mapping, Plan } from '../../fields/mapping.js'
import { differ, named } from '../header.js'
import { damaged, titleOf } from '../records.js'

interface HeaderTerms {
  readonly list: string
  readonly mapping: Mapping
  /** Behind a message: `, line 1`. */
  readonly where: string
  /** The line of the header, from 1; undefined for source.header. */
  readonly line: number | undefined
  /** The cells of the lines that follow, as far as they are known. */
  readonly following: readonly (readonly string[])[]
}

/** Lines behind the first one among which a header is looked for, for a hint. */
const enough = 40

/** The columns that a header names. Throws ConfigurationError where they can't be those of a list of places. */
export function columnsOf(header: readonly string[], terms: HeaderTerms): Plan {
  const { mapping, where, following } = terms
  const names = header.map(named)
  if (names.some((name) => name.includes('\ufffd')))
    throw damaged(
      terms.list,
      `has a header that isn't valid in its encoding${where}: ${names.join(', ').slice(0, 200)}`,
      'Name its encoding in source.encoding, such as windows-1252.',
    )
  differ(names, titleOf(terms.list), where)
  try {
    return mapping.declare(names, where, following[0])
  } catch (error) {
    if (!(error instanceof ConfigurationError) || terms.line === undefined) throw error
    const inHeader = `${error.hint ?? ''} Or name the columns with source.header if the file has no header.`
    throw new ConfigurationError(error.message, {
      hint: lookBehind(header, terms) ?? spaced(header, terms) ?? inHeader,
      cause: error,
    })
  }
}

const dashes = /^\s*[-=]+(\s+[-=]+)+\s*$/

/** A hint where what seems one column are several with spaces between them. */
function spaced([only = '', ...others]: readonly string[], terms: HeaderTerms): string | undefined {
  const { mapping, line = 1 } = terms
  const names = wordsOf(only)
  const isHeader =
    mapping.seemsPlace(Object.fromEntries(names.map((name) => [name, '']))) ||
    ['latitude', 'longitude'].every((axis) => likelyFor(axis, names) !== undefined)
  const isRow = names.filter((name) => /^[+-]?\d+\.\d+$/.test(name)).length >= 2
  if (others.length > 0 || !(isHeader || isRow)) return undefined
  const header = isRow ? ', and name the columns with source.header' : ''
  const following = terms.following.map((cells) => cells.join(',')).filter((row) => row.trim() !== '')
  const hasDashes = dashes.test(following[0] ?? '')
  // Where names of places have spaces in them, too, only its place in the line tells where a column ends.
  if (hasDashes || following.some((row) => wordsOf(row).length !== names.length)) {
    const skipped = isRow ? '' : ` Its header is skipped with source.skipLines: ${hasDashes ? line + 1 : line}.`
    return (
      'Its columns seem to have fixed places in a line: cut them out there, as ' +
      "`cut --output-delimiter='|' -c 1-11,13-20,22-30,42-71 FILE` does, and name them with source.header." +
      skipped
    )
  }
  return (
    `Its columns seem to have spaces between them: set source.delimiter to " "${header}; ` +
    "where there are several, make them one first: `tr -s ' ' < FILE`."
  )
}

const wordsOf = (text: string): string[] => text.trim().split(/\s+/)

/** A hint where a later line looks like the header. */
function lookBehind(
  [first = '']: readonly string[],
  { mapping, line = 1, following }: HeaderTerms,
): string | undefined {
  const at = following
    .slice(0, enough)
    .findIndex((cells) => mapping.seemsPlace(Object.fromEntries(cells.map((cell) => [cell, '']))))
  const mark = /^\s*(#|%|\/\/)/.exec(first)?.[1]
  if (at < 0) return undefined
  if (mark !== undefined) return `Set source.comment to "${mark}", if lines that begin so are no rows.`
  return `Is line ${line + at + 1} the header? Then set source.skipLines to ${line + at}.`
}
