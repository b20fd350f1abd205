/** The columns of a CSV list. */
import { nearest } from '../../../errors/suggest.js'
import { meaningOf } from '../../fields/names.js'
import { damaged } from '../records.js'
import type { CsvOptions } from './index.js'

/** By their own names and by what they mean. */
export interface Columns {
  readonly names: readonly string[]
  readonly meanings: readonly string[]
}

/** Throws ConfigurationError where the header can't be the one of a list of places. */
export function columnsOf(header: readonly string[], given: CsvOptions, list: string): Columns {
  const { fields: chosen = {} } = given
  // Spreadsheets and data frames leave columns without a name.
  const names = header.map((name, index) => name.trim() || `column_${index + 1}`)
  const wrong: Wrong = (what, hint) => {
    const inWords = `Its columns are: ${names.join(', ').slice(0, 500)}.`
    return damaged(list, `${what}, ${given.header ? 'in source.header' : 'line 1'}`, `${inWords} ${hint}`)
  }
  differ(names, wrong)
  const meanings = meaningOf(names, chosen)
  for (const [key, column] of Object.entries(chosen)) {
    if (meanings.includes(key)) continue
    const near = nearest(column, names)
    throw wrong(
      `has no column "${column}", which source.fields names for the ${key}`,
      near ? `Did you mean "${near}"?` : 'Correct source.fields.',
    )
  }
  areEnough({ names, meanings }, given, wrong)
  return { names, meanings }
}

type Wrong = (what: string, hint: string) => Error

function differ(names: readonly string[], wrong: Wrong): void {
  const lower = names.map((name) => name.toLowerCase())
  const twice = lower.findIndex((name, index) => lower.indexOf(name) < index)
  if (twice < 0) return
  throw wrong(
    `has two columns "${names[twice]}" (columns ${lower.indexOf(lower[twice] ?? '') + 1} and ${twice + 1})`,
    'Give one of them another name.',
  )
}

/** What every location needs, and names that may stand for it. */
const needs = [
  ['latitude', /lat|^y$/i],
  ['longitude', /lon|lng|^x$/i],
  ['city', /name|city|town|place/i],
] as const

function areEnough({ names, meanings }: Columns, { header }: CsvOptions, wrong: Wrong): void {
  for (const [needed, likely] of needs) {
    if (meanings.includes(needed)) continue
    const free = names.filter((name, index) => meanings[index] === name)
    const near = free.find((name) => likely.test(name)) ?? nearest(needed, free)
    const asked = near ? `Is it "${near}"? ` : ''
    const headless = header ? '' : ', or name the columns with source.header if the file has no header'
    throw wrong(
      `has no column for the ${needed}`,
      `${asked}Map it, fields: {${needed}: ${near ?? 'COLUMN'}}${headless}.`,
    )
  }
}
