/** The options of the source `sql`. */
import * as z from 'zod'
import { namesDatabase } from '../../databases/url.js'
import { fieldOptions } from '../fields/options.js'

export const drivers: Readonly<Record<string, 'pg' | 'mysql2'>> = {
  postgres: 'pg',
  postgresql: 'pg',
  mysql: 'mysql2',
  mariadb: 'mysql2',
}

/** `postgres` of `postgres://…`; undefined for the path of a file, with or without `sqlite:` before it. */
export const schemeOf = (url: string): string | undefined =>
  /^(?!sqlite:)([a-z][a-z0-9+.-]+):\/\//i.exec(url)?.[1]?.toLowerCase()

const milliseconds = z.number().int().min(1).max(86_400_000).meta({ unit: 'ms', keepsCheckpoint: true })
const name = z.string().min(1)

export const options = z
  .strictObject({
    url: name
      .refine(
        (url) => (schemeOf(url) ?? 'postgres') in drivers,
        'postgres://, mysql://, mariadb:// or a SQLite file is expected',
      )
      .refine((url) => schemeOf(url) === undefined || namesDatabase(url), {
        message:
          'postgres://user:password@host:port/database is expected; ' +
          'in user and password write / as %2F, : as %3A, @ as %40, # as %23, ? as %3F, or set source.password; ' +
          'in its name @ as %40',
        when: ({ value }) => (schemeOf(String(value)) ?? '') in drivers,
      })
      .describe(
        'the database: postgres://user:password@host:port/name, mysql://…, mariadb://… or a SQLite file; ' +
          'for TLS ?sslmode=require, verify-ca or verify-full, with sslrootcert, sslcert and sslkey (files); ' +
          'for a socket ?host=PATH',
      )
      .meta({ secret: true }),
    password: name
      .optional()
      .describe('the password, where it is not in the URL: as it is, nothing percent-encoded')
      .meta({ secret: true }),
    table: name
      .optional()
      .describe('the table or view to read, `cities` or `geo.cities`: exactly its name, upper and lower case included'),
    schema: name
      .optional()
      .describe("the table's schema (MySQL: its database); with it, a dot in `table` belongs to the name"),
    query: name.optional().describe('a SELECT to read instead of a table, with whatever conditions and joins'),
    key: z
      .union([name, z.array(name).min(1).max(8)])
      .describe(
        'the column, or a list of columns, to read along: unique, never NULL, not changed while it is read; ' +
          'indexed, or every page costs a sort',
      ),
    pageSize: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(2_000)
      .describe('rows that one statement reads, with all of their columns: set fewer where these are wide')
      .meta({ keepsCheckpoint: true }),
    ...fieldOptions,
    statementTimeoutMs: milliseconds
      .default(30_000)
      .describe(
        'longest time of one statement, in milliseconds; then the server ends it. For a lock, half of that (SQLite: ' +
          '10 s at most; MySQL, MariaDB: whole seconds, at least 1), then it is tried again. Keep it below timeoutMs',
      ),
    connectTimeoutMs: milliseconds.default(15_000).describe('longest time to connect, in milliseconds'),
  })
  .refine(({ table, query }) => (table === undefined) !== (query === undefined), 'give either `table` or `query`')
  .refine(({ table, schema }) => table !== undefined || schema === undefined, '`schema` goes with `table`')
  .meta({
    examples: [{ url: 'postgres://owm@db.example/geo', password: '${DB_PASSWORD}', table: 'cities', key: 'id' }],
  })

export type Settings = Omit<z.output<typeof options>, 'key'> & { readonly key: readonly string[] }
