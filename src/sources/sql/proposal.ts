/** Proposes a query for a table: its columns under owm's names. Pure. */
import { likelyFor, needs } from '../fields/judge/likely.js'
import { meaningsOf } from '../fields/names.js'
import { synonyms } from '../fields/synonyms.js'
import type { Column, Table } from './catalogue.js'

export interface Proposal {
  /** For what the table lacks, a column that may hold it, or `…`. */
  readonly query: string
  /** What identifies a row of the query; empty if unknown. */
  readonly key: readonly string[]
  /** Those of latitude, longitude and city that no column is named for. */
  readonly lacks: readonly string[]
}

/** A column, and what the query calls it. */
interface Named {
  readonly column: Column
  readonly as: string
}

/** Whether owm reads a field of this name. */
const isOwn = (name: string): boolean => Object.hasOwn(synonyms, name)

/** Types whose values are of no use in a task. */
const unwanted = /^(geometry|geography|point|bytea|tsvector)$|blob|binary/i

export function proposalFor({ sql, columns }: Table): Proposal {
  const named = namesFor(columns)
  const lacks = needs.map(([needed]) => needed).filter((needed) => !named.some(({ as }) => as === needed))
  const free = named.filter(({ as }) => !isOwn(as)).map(({ column }) => column)
  const guessed = new Map(lacks.map((needed) => [needed, guessFor(needed, free)]))
  const guesses = new Set([...guessed.values()])
  const travels = ({ column: { type, keyAt }, as }: Named) => !unwanted.test(type) || isOwn(as) || keyAt !== null
  const selected = named
    .filter((each) => travels(each) && !guesses.has(each.column.sql))
    .map(({ column, as }) => (as === column.name ? column.sql : `${column.sql} AS ${as}`))
  const missing = lacks.map((needed) => `${guessed.get(needed)} AS ${needed}`)
  return { query: `SELECT ${[...selected, ...missing].join(', ')} FROM ${sql}`, key: keyOf(named), lacks }
}

/** The only column of a primary key is the id, unless another one is called so. */
function namesFor(columns: readonly Column[]): Named[] {
  const { meanings } = meaningsOf(
    columns.map(({ name }) => name),
    'column',
  )
  const hasId = meanings.includes('id')
  const isAlone = columns.filter(({ keyAt }) => keyAt !== null).length === 1
  return columns.map((column, index) => {
    const meaning = meanings[index] ?? column.name
    if (isOwn(meaning)) return { column, as: meaning }
    return { column, as: isAlone && !hasId && column.keyAt !== null ? 'id' : column.name }
  })
}

function keyOf(named: readonly Named[]): string[] {
  const primary = named
    .filter(({ column }) => column.keyAt !== null)
    .sort((a, b) => Number(a.column.keyAt) - Number(b.column.keyAt))
  // A view has no primary key; the first read will show whether its id is unique.
  const key = primary.length > 0 ? primary : named.filter(({ as }) => as === 'id')
  return key.map(({ as }) => as)
}

/** SQL for a field that no column is named for. */
function guessFor(needed: string, free: readonly Column[]): string {
  const geometry = free.find(({ type }) => /^geo(metry|graphy)$/.test(type))
  if (geometry && needed !== 'city')
    return `ST_${needed === 'latitude' ? 'Y' : 'X'}(ST_Transform(${geometry.sql}::geometry, 4326))`
  const likely = likelyFor(
    needed,
    free.map(({ name }) => name),
  )
  return free.find(({ name }) => name === likely)?.sql ?? '…'
}
