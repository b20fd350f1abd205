/** A list in a database: its table, and the query that gives the columns owm's names. */
import { UsageError } from '../../../errors/index.js'
import { nearest } from '../../../errors/suggest.js'
import { plural } from '../../format.js'
import { type Meant, plainly } from './answers.js'
import type { Database } from './check.js'
import type { Question } from './questions.js'
import type { Section } from './starter.js'

type Table = Database['tables'][number]

export const isDatabase = ({ real }: Meant): boolean => real['use'] === 'sql'

const isWhole = ({ proposal: { lacks, key } }: Table): boolean => lacks.length === 0 && key.length > 0

/** In words: the tables that have all that a place needs, else all tables. */
function tablesIn({ tables }: Database): string {
  const whole = tables.filter(isWhole)
  const names = (whole.length > 0 ? whole : tables).slice(0, 20).map(({ name }) => name)
  return `${whole.length > 0 ? 'With coordinates and names' : 'There'}: ${names.join(', ') || 'none'}.`
}

/** `PostgreSQL at db/geo: 12 tables that can be read. With coordinates and names: stations.` */
export const databaseInWords = (database: Database): string =>
  `${database.title}: ${plural(database.tables.length, 'table')} that can be read. ${tablesIn(database)}`

/** The error for a database without --table. */
export const whichTable = (database: Database | undefined): UsageError =>
  new UsageError('The list is in a database: --table says in which table.', {
    hint: `Add --table NAME, or a SELECT.${database ? ` ${tablesIn(database)}` : ''}`,
  })

/**
 * @param list the database, without a table
 * @param read reads the list, and says what it has
 */
export function aboutTable(
  list: Meant,
  database: Database | undefined,
  read: (section: Section) => Promise<string>,
): Question<Meant> {
  const suggested = database?.tables.find(isWhole)?.name
  return {
    text: '   In which table is it? A SELECT will do, too.',
    ...(suggested === undefined ? { fallback: 'a name', blank: '' } : { fallback: suggested }),
    understand(answer) {
      if (answer === '') throw whichTable(database)
      // The rows of a query need a key, too: `id` is the usual name.
      if (/^\(?\s*(select|with)\b/i.test(answer)) return withMore(list, { query: answer, key: 'id' })
      if (!database) return withMore(list, { table: answer, key: 'id' })
      return withMore(list, queryFor(tableIn(database, answer), database))
    },
    async tryOut({ real }) {
      if (database) return read(real)
      return 'Its columns could not be looked at: that its key is called id is a guess.'
    },
  }
}

function withMore({ written, real, variables }: Meant, more: Section): Meant {
  const { written: escaped } = plainly(more)
  return { written: { ...written, ...escaped }, real: { ...real, ...more }, variables }
}

/** Throws UsageError. */
function tableIn(database: Database, answer: string): Table {
  const namesOf = ({ name, schema, sql }: Table): string[] => [name, sql, `${schema}.${name}`]
  const { tables, title } = database
  const all = tables.flatMap(namesOf)
  const named = tables.find((each) => namesOf(each).includes(answer))
  if (named) return named
  const near = nearest(answer, all)
  throw new UsageError(`${title} has no table ${answer} that this user may read.`, {
    hint: near === undefined ? tablesIn(database) : `Did you mean ${near}?`,
  })
}

/** Throws UsageError if the table lacks a column. */
function queryFor({ name, columns, proposal: { query, key, lacks } }: Table, { title }: Database): Section {
  const where = `The table ${name} of ${title}`
  const names = columns.map((column) => column.name)
  const shown = `Its columns are: ${names.join(', ').slice(0, 500)}.`
  const [first, ...others] = key
  const whole = first === undefined ? query.replace('SELECT', () => 'SELECT … AS id,') : query
  const unique = first === undefined ? ' An id is unique and never NULL.' : ''
  if (lacks.length > 0)
    throw new UsageError(`${where} has no column for the ${lacks.join(', the ')}. ${shown}`, {
      hint: `Say what they are, by a query in place of the table's name: --table '${whole}'${unique}`,
    })
  if (first !== undefined) return { query, key: others.length === 0 ? first : key }
  throw new UsageError(`${where} has no primary key. ${shown}`, {
    hint: `Say which column is the id, by a query in place of its name: --table '${whole}'${unique}`,
  })
}
