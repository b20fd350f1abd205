/** How one kind of database differs from the others. */
import type { DataSourceOptions, QueryRunner } from 'typeorm'

export interface Dialect {
  /** For messages: without user and password. */
  readonly title: string
  readonly options: DataSourceOptions
  quoted(name: string): string
  /** Sets up a new connection. */
  prepare(runner: QueryRunner, target: Target): Promise<unknown>
  /** Identifies the file that the connection reads, even if another replaces it under the same name. */
  file?(): string | undefined
  /** SQL for what identifies the table that is read, even if another takes its name; undefined for a query. */
  identity?(target: Target): string | undefined
  /**
   * The names of the columns in their order, including two of the same name. Undefined if the driver gives them only
   * with a row, and there is none.
   */
  columns(runner: QueryRunner, sql: string): Promise<readonly string[] | undefined>
  /**
   * SQL that lists the columns of the tables and views that this user may read, in their order: `schema_name`,
   * `table_name`, `is_visible` (whether the table is found without its schema), `table_sql` and `column_sql` (quoted if
   * necessary), `column_name`, `type_name`, `key_at` (the position in the primary key, or NULL).
   */
  readonly catalogue: string
  /** Opens a page's transaction, unless all of the connection's are read-only. */
  readonly begin?: string
  /** SQL that writes column `index` of the key as text, without loss. */
  written(column: string, index: number): string
  /** SQL for a value from that text; throws ResumePointError if it can't be one. */
  literal(text: string, index: number, values: unknown[]): string
  /** SQL for a text that changes with the key's order, that is its type and collation. */
  ordering(target: Target, values: unknown[]): string
  limit(rows: number, values: unknown[]): string
  /** Whether `(a, b) > (1, 2)` uses an index. */
  readonly comparesTuples: boolean
  /** For drivers that round whole numbers beyond 2^53: the exact one, from the key's text. */
  wholeNumber?(written: string): string | undefined
  /** Whether the driver decodes any bytes as text, with U+FFFD in place of those that aren't UTF-8. */
  readonly replacesBytes?: boolean
  /** Aborts the statement that the driver's connection is running. */
  cut(raw: { destroy?(): void; stream?: { destroy(): void }; interrupt?(): void }): void
  /** Milliseconds after which a statement is too slow. */
  readonly statementTimeoutMs: number
  /** Milliseconds that owm waits for a statement. */
  readonly patienceMs: number
}

/**
 * Milliseconds that a statement waits for a lock: well below its own time, so that a table which is being loaded or
 * altered isn't taken for a slow statement. That passes; a slow statement doesn't.
 */
export const lockTimeoutMs = (statementTimeoutMs: number): number => Math.ceil(statementTimeoutMs / 2)

/** What is read, in SQL. */
export interface Target {
  readonly from: string
  /** The table's name, after its schema's if that is given; undefined for a query. */
  readonly path?: readonly string[]
  /** The key. */
  readonly columns: readonly string[]
}
