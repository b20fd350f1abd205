/** One connection to PostgreSQL. Its transactions run one after the other, in the order of the calls. */
import { randomBytes } from 'node:crypto'
import { driverModule } from '../../databases/driver.js'
import { accessTo, begin } from '../../databases/postgres.js'
import { graceMs, type Server, serverOf } from '../../databases/server.js'
import { TransientError } from '../../errors/index.js'
import { orLate, within } from '../../within.js'
import { classed, endsConnection } from './errors.js'
import { type Settings, urlOf } from './options.js'

/** The part of pg's client that owm uses: https://node-postgres.com/apis/client */
interface Client {
  connect(): Promise<unknown>
  query(query: string | { text: string; values: readonly unknown[] }): Promise<{ rows: Row[] }>
  end(): Promise<void>
  on(name: 'error', listener: (error: Error) => void): void
  readonly connection: { readonly stream: { destroy(): void } }
}

interface Pg {
  readonly Client: new (options: object) => Client
}

export type Row = Readonly<Record<string, unknown>>

/** Runs a statement in the current transaction. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<Row[]>

export class Connection {
  readonly title: string
  readonly #settings: Settings
  readonly #server: Server
  readonly #pg: Pg
  readonly #signal: AbortSignal
  #client: Client | undefined
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(settings: Settings, server: Server, pg: Pg, signal: AbortSignal) {
    this.#settings = settings
    this.#server = server
    this.#pg = pg
    this.#signal = signal
    this.title = `PostgreSQL at ${server.title}`
    // An abort ends every wait at once; the fence tells whether a batch was applied.
    signal.addEventListener('abort', () => this.#drop(), { once: true })
  }

  /** Doesn't connect yet. Throws ConfigurationError. */
  static async of(settings: Settings, baseDir: string, signal: AbortSignal): Promise<Connection> {
    const server = await serverOf({ url: urlOf(settings), password: settings.password }, baseDir, 'sink')
    return new Connection(settings, server, await driverModule<Pg>('pg', baseDir, 'The sink postgres'), signal)
  }

  /** Without user and password. */
  get address(): string {
    const { socket, host, port = 5432, database } = this.#server
    return `postgres://${socket ?? `${host}:${port}`}/${database}`
  }

  get isEncrypted(): boolean {
    return this.#server.ssl !== undefined
  }

  /** The host to which a password goes; '' for a Unix socket, or where there is no password. */
  get passwordGoesTo(): string {
    const { socket, host, password } = this.#server
    return socket === undefined && password !== undefined ? host : ''
  }

  /** Runs `work` in one transaction. Throws ConfigurationError, TransientError, and what `work` throws. */
  async transaction<T>(work: (query: Query) => Promise<T>, end: 'COMMIT' | 'ROLLBACK' = 'COMMIT'): Promise<T> {
    return this.#inTurn(() => this.#transact(work, 'BEGIN ISOLATION LEVEL READ COMMITTED', end))
  }

  /** Runs one statement in a read-only transaction. */
  async read(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const ask = (query: Query) => query(text, values)
    return this.#inTurn(() => this.#transact(ask, 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY', 'COMMIT'))
  }

  /** Plans a statement and checks its rights without running it. Throws what running it would. */
  async plan(text: string, parameters: number): Promise<void> {
    // A pooler may keep a statement's name that a failure left behind.
    const name = `owm_${randomBytes(6).toString('hex')}`
    const nulls = new Array<string>(parameters).fill('NULL').join(', ')
    await this.#inTurn(() =>
      this.#transact(
        async (query) => {
          await query(`PREPARE ${name} AS ${text}`)
          await query(`EXPLAIN EXECUTE ${name}(${nulls})`)
          await query(`DEALLOCATE ${name}`)
        },
        'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
        'ROLLBACK',
      ),
    )
  }

  /** Closes gracefully, within a short time-out. */
  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    if (!client) return
    await orLate(
      graceMs,
      client.end().catch(() => undefined),
    )
    client.connection.stream.destroy()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const answer = this.#turn.then(work)
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  async #transact<T>(work: (query: Query) => Promise<T>, opening: string, end: 'COMMIT' | 'ROLLBACK'): Promise<T> {
    const { statementTimeoutMs, lockTimeoutMs } = this.#settings
    let isOpen = false
    try {
      this.#signal.throwIfAborted()
      const client = this.#client ?? (await this.#connect())
      const query: Query = async (text, values = []) => {
        const asked = values.length === 0 ? client.query(text) : client.query({ text, values })
        return (await this.#within(statementTimeoutMs + graceMs, asked)).rows
      }
      const limits = {
        statement_timeout: statementTimeoutMs,
        lock_timeout: lockTimeoutMs,
        idle_in_transaction_session_timeout: statementTimeoutMs + graceMs,
      }
      await query(begin(opening, limits))
      isOpen = true
      const answer = await work(query)
      await query(end)
      return answer
    } catch (error) {
      if (endsConnection(error)) this.#drop()
      else if (isOpen) await this.#rollBack()
      throw classed(error, this.title)
    }
  }

  async #rollBack(): Promise<void> {
    const work = this.#client?.query('ROLLBACK')
    if (work) await this.#within(graceMs, work).catch(() => this.#drop())
  }

  async #connect(): Promise<Client> {
    const { connectTimeoutMs } = this.#settings
    const client = new this.#pg.Client({
      ...accessTo(this.#server, 'sink'),
      connectionTimeoutMillis: connectTimeoutMs,
      application_name: 'owm',
      keepAlive: true,
    })
    // A pending query gets the error; an idle connection is replaced at its next use.
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined
    })
    this.#client = client
    await this.#within(connectTimeoutMs, client.connect())
    return client
  }

  #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const hint = 'Look whether the server runs, and is busy; the tasks wait in the outbox.'
    const late = (): Error => new TransientError(`${this.title} didn't answer in ${ms / 1000} s.`, { hint })
    return within({ ms, signal: this.#signal, late }, work)
  }

  #drop(): void {
    void this.close()
  }
}
