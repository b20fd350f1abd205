/** One connection to a database. */
import type { DataSource, QueryRunner } from 'typeorm'
import { silent } from '../../databases/silent.js'
import { TransientError } from '../../errors/index.js'
import { within } from '../../within.js'
import type { Dialect, Target } from './dialect/dialect.js'
import { classed, isTimeout, TooSlow } from './errors.js'
import type { Statement } from './statements.js'

/** owm itself gave up waiting. */
class Late extends TransientError {}

/** Opened when needed, and dropped after any failure: the next attempt opens a new one. */
export class Connection {
  readonly #dialect: Dialect
  readonly #target: Target
  readonly #connectTimeoutMs: number
  readonly #signal: AbortSignal
  #source: DataSource | undefined
  #connecting: Promise<unknown> | undefined
  #runner: QueryRunner | undefined

  constructor(dialect: Dialect, target: Target, connectTimeoutMs: number, signal: AbortSignal) {
    this.#dialect = dialect
    this.#target = target
    this.#connectTimeoutMs = connectTimeoutMs
    this.#signal = signal
  }

  /** The rows of one statement, in a read-only transaction of its own. */
  async rows({ sql, values }: Statement): Promise<Record<string, unknown>[]> {
    return this.#read((runner) => runner.query(sql, values))
  }

  /** The names of the columns; undefined if the driver can't tell without a row. */
  async columns(): Promise<readonly string[] | undefined> {
    return this.#read((runner) => this.#dialect.columns(runner, `SELECT q.* FROM ${this.#target.from}`))
  }

  async #read<T>(query: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const { begin } = this.#dialect
    try {
      const runner = this.#runner ?? (await this.#connect())
      if (begin) await this.#statement(runner.query(begin))
      const result = await this.#statement(query(runner))
      if (begin) await this.#statement(runner.query('COMMIT'))
      return result
    } catch (error) {
      this.#drop()
      throw error instanceof TooSlow ? error : classed(error, this.#dialect)
    }
  }

  /** Waits for a statement. Throws TooSlow if the server ended it, or SQLite wasn't done in time. */
  async #statement<T>(work: Promise<T>): Promise<T> {
    const { patienceMs, statementTimeoutMs } = this.#dialect
    const began = performance.now()
    try {
      return await this.#within(patienceMs, 'a statement', work)
    } catch (error) {
      const isLate = isTimeout(error) && performance.now() - began >= 0.9 * statementTimeoutMs
      const isOurs = error instanceof Late && patienceMs === statementTimeoutMs
      throw isLate || isOurs ? new TooSlow(this.#dialect, error) : error
    }
  }

  async close(): Promise<void> {
    const source = this.#source
    this.#source = undefined
    await this.#connecting?.catch(() => undefined)
    await source?.driver.disconnect()
  }

  async #connect(): Promise<QueryRunner> {
    const { DataSource } = await import('typeorm')
    const source = new DataSource({ ...this.#dialect.options, logger: silent })
    this.#source = source
    this.#connecting = source.initialize()
    await this.#within(this.#connectTimeoutMs, 'connecting', this.#connecting)
    const runner = source.createQueryRunner()
    this.#runner = runner
    await this.#statement(this.#dialect.prepare(runner, this.#target))
    return runner
  }

  #within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
    const late = (): Error => new Late(`${this.#dialect.title}: ${what} took longer than ${ms / 1000} s`)
    return within({ ms, signal: this.#signal, late }, work)
  }

  #drop(): void {
    const { cut } = this.#dialect
    const [source, connecting, runner] = [this.#source, this.#connecting, this.#runner]
    this.#source = this.#connecting = this.#runner = undefined
    void (async () => {
      await connecting?.catch(() => undefined)
      if (runner) cut(await runner.connect())
      await source?.driver.disconnect()
    })().catch(() => undefined)
  }
}
