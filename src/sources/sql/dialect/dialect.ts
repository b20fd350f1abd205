/** What one kind of database does differently from the others. */
import type { DataSourceOptions, QueryRunner } from 'typeorm'

export interface Dialect {
  /** For messages: neither user nor password. */
  readonly title: string
  readonly options: DataSourceOptions
  quoted(name: string): string
  /** Makes a new connection ready. */
  prepare(runner: QueryRunner, target: Target): Promise<unknown>
  /** What tells the file that the connection reads from one that replaces it. */
  file?(): string | undefined
  /**
   * The names of the columns that are read, in their order, two of the same name included. Where the driver tells
   * them only with a row: undefined where there is none.
   */
  columns(runner: QueryRunner, sql: string): Promise<readonly string[] | undefined>
  /**
   * SQL that lists the columns of the tables and views that this user may read, in their order: `schema_name`,
   * `table_name`, `is_visible` (whether the table's own name finds it), `table_sql` and `column_sql` (quoted where SQL
   * wants it), `column_name`, `type_name`, `key_at` (the place in the primary key, or NULL).
   */
  readonly catalogue: string
  /** Opens a page's transaction, where not all of the connection's are read-only. */
  readonly begin?: string
  /** SQL that writes the key's column number `index` as text, nothing lost. */
  written(column: string, index: number): string
  /** SQL for the value that was written so; throws ResumePointError where it can't have been. */
  literal(text: string, index: number, values: unknown[]): string
  /** SQL for a text that changes with what orders the key: its type and collation. Not every database tells. */
  ordering?(target: Target, values: unknown[]): string
  limit(rows: number, values: unknown[]): string
  /** Whether `(a, b) > (1, 2)` makes use of an index. */
  readonly comparesTuples: boolean
  /** Where a driver rounds whole numbers beyond 2^53: the one that was written so. */
  wholeNumber?(written: string): string | undefined
  /** Ends what the driver's connection is at. */
  cut(raw: { destroy?(): void; stream?: { destroy(): void }; interrupt?(): void }): void
  /** Milliseconds after which a statement is too slow. */
  readonly statementTimeoutMs: number
  /** Milliseconds that this side waits for a statement. */
  readonly patienceMs: number
}

/** What is read, in SQL. */
export interface Target {
  readonly from: string
  /** The key. */
  readonly columns: readonly string[]
}
