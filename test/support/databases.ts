/**
 * Real database servers for the tests, from the system's own packages: each on loopback, on a free port, with its
 * data in a temporary folder and nothing synced to the disk. Never a skip: without a server a test fails, and says
 * what to install.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { DataSource } from 'typeorm'
import { until } from './cli.js'
import { isRoot } from './conditions.js'

const run = promisify(execFile)

export interface TestDatabase {
  /** With user and password. */
  readonly url: string
  readonly password: string
  readonly port: number
  /** The file of its certificate for TLS: self-signed, for database.test. */
  readonly certificate: string
  /** Where its Unix socket is: as `?host=` takes it. */
  readonly socket: string
  /** Runs a statement as the same user, who may do everything. */
  query<Row = Record<string, unknown>>(sql: string): Promise<Row[]>
  /** Ends the server in the midst of whatever it's at; resolves when it's gone. */
  kill(): Promise<void>
  /** The same port and data; resolves when it answers. */
  restart(): Promise<void>
  /** Ends it and leaves nothing behind. */
  stop(): Promise<void>
}

interface Kind {
  readonly type: 'postgres' | 'mysql'
  /** Where the package puts it, besides PATH. */
  readonly folders: () => string[]
  readonly install: string
  /** Makes the data in an empty folder. */
  create(folder: string, password: string, ids: Ids): Promise<void>
  /** The server's program and arguments. */
  serve(folder: string, port: number, settings: Settings): [program: string, args: string[]]
  /** Ends all of its processes at once. */
  readonly signal: NodeJS.Signals
}

/** PostgreSQL's own settings besides those of all tests: name -> value. */
export type Settings = Readonly<Record<string, string>>

/** Both servers refuse to run as root: then it's nobody (65534 on every Linux). */
type Ids = { uid: number; gid: number } | Record<string, never>
/** Whom a test's own programs of PostgreSQL run as. */
export const serverIds: Ids = isRoot ? { uid: 65_534, gid: 65_534 } : {}

const postgres: Kind = {
  type: 'postgres',
  folders: () =>
    existsSync('/usr/lib/postgresql')
      ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
      : [],
  install: 'Install PostgreSQL (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql).',
  async create(folder, password) {
    const secret = join(folder, 'password')
    await writeFile(secret, password, { mode: 0o644 })
    const settings = [
      '--username',
      'owm',
      '--auth',
      'scram-sha-256',
      '--pwfile',
      secret,
      '--encoding',
      'UTF8',
      '--locale',
      'C',
      '--no-sync',
    ]
    await run(find('initdb', this), ['-D', join(folder, 'data'), ...settings], serverIds)
  },
  serve(folder, port, more) {
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: folder,
      fsync: 'off',
      shared_buffers: '16MB',
      ssl: 'on',
      ssl_cert_file: join(folder, 'cert.pem'),
      ssl_key_file: join(folder, 'key.pem'),
      ...more,
    }
    return [
      find('postgres', this),
      ['-D', join(folder, 'data'), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    ]
  },
  // Of SIGKILL its other processes would not hear at once, and a new server waits for their end.
  signal: 'SIGQUIT',
}

const mariadb: Kind = {
  type: 'mysql',
  folders: () => ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'],
  install: 'Install MariaDB (Debian, Ubuntu: apt-get install mariadb-server; macOS: brew install mariadb).',
  async create(folder, password) {
    await writeFile(
      join(folder, 'init.sql'),
      `CREATE DATABASE IF NOT EXISTS postgres;
       CREATE USER IF NOT EXISTS owm@'127.0.0.1' IDENTIFIED BY '${password}', owm@localhost IDENTIFIED BY '${password}';
       GRANT ALL ON *.* TO owm@'127.0.0.1' WITH GRANT OPTION;
       GRANT ALL ON *.* TO owm@localhost;\n`.replace(/\n\s+/g, '\n'),
    )
    await run(
      find('mariadb-install-db', this),
      ['--no-defaults', `--datadir=${join(folder, 'data')}`, '--skip-test-db', '--skip-name-resolve'],
      serverIds,
    )
  },
  serve(folder, port) {
    // 2: what is committed outlives the server, if not the machine.
    const fast = [
      '--skip-log-bin',
      '--innodb-flush-log-at-trx-commit=2',
      '--innodb-buffer-pool-size=16M',
      '--skip-name-resolve',
    ]
    const tls = [`--ssl-cert=${join(folder, 'cert.pem')}`, `--ssl-key=${join(folder, 'key.pem')}`]
    const place = [
      `--datadir=${join(folder, 'data')}`,
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
    ]
    return [
      find('mariadbd', this),
      [
        '--no-defaults',
        '--bind-address=127.0.0.1',
        `--port=${port}`,
        ...place,
        ...tls,
        ...fast,
        `--init-file=${join(folder, 'init.sql')}`,
      ],
    ]
  },
  signal: 'SIGKILL',
}

function find(program: string, { folders, install }: Kind): string {
  const found = [...folders().toSorted().toReversed(), ...(process.env['PATH'] ?? '').split(delimiter)]
    .map((folder) => join(folder, program))
    .find(existsSync)
  if (found === undefined) throw new Error(`There is no ${program}. ${install}`)
  return found
}

/** The path of one of PostgreSQL's programs. */
export const databaseProgram = (name: string): string => find(name, postgres)

export const startPostgres = (settings: Settings = {}): Promise<TestDatabase> => start(postgres, settings)
export const startMariadb = (): Promise<TestDatabase> => start(mariadb)

async function start(kind: Kind, settings: Settings = {}): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-test-db-'))
  if (serverIds.uid !== undefined) await chown(folder, serverIds.uid, serverIds.gid)
  const server = new Server(kind, folder, settings)
  try {
    // PostgreSQL's package on Debian brings openssl with it.
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'key.pem')]
    await run(
      'openssl',
      ['req', '-x509', ...key, '-days', '2', '-subj', '/CN=database.test', '-out', server.certificate],
      serverIds,
    )
    await kind.create(folder, server.password, serverIds)
    await server.start()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** Not stopped yet: the test process may end without doing so. */
const unstopped = new Set<Server>()

class Server implements TestDatabase {
  readonly password = randomBytes(12).toString('hex')
  readonly #kind: Kind
  readonly #folder: string
  readonly #settings: Settings
  port = 0
  #child: ChildProcess | undefined
  #source: DataSource | undefined
  #output = ''

  constructor(kind: Kind, folder: string, settings: Settings) {
    this.#kind = kind
    this.#settings = settings
    this.#folder = folder
  }

  get certificate(): string {
    return join(this.#folder, 'cert.pem')
  }

  get socket(): string {
    return this.#kind.type === 'postgres' ? this.#folder : join(this.#folder, 'socket')
  }

  get url(): string {
    return `${this.#kind.type}://owm:${this.password}@127.0.0.1:${this.port}/postgres`
  }

  async query<Row>(sql: string): Promise<Row[]> {
    this.#source ??= await new DataSource({
      type: this.#kind.type,
      url: this.url,
      logging: false,
      poolSize: 2,
    }).initialize()
    return this.#source.query(sql)
  }

  /** On another port where somebody else has this one. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      // Below the ports that systems give to outgoing connections.
      this.port = randomInt(20_000, 30_000)
      try {
        return await this.restart()
      } catch (error) {
        if (!/in use/i.test(this.#output) || attempt === 20) throw error
      }
    }
  }

  async restart(): Promise<void> {
    await this.kill()
    const [program, args] = this.#kind.serve(this.#folder, this.port, this.#settings)
    const child = spawn(program, args, { ...serverIds, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-4000)
      })
    await once(child, 'spawn')
    this.#child = child
    if (unstopped.size === 0) process.on('exit', killUnstopped)
    unstopped.add(this)
    // Only this very server knows the password.
    await until(async () => {
      if (hasEnded(child)) throw new Error(`${program} ended while starting on port ${this.port}:\n${this.#output}`)
      return this.query('SELECT 1').then(
        () => true,
        () => false,
      )
    })
  }

  async kill(): Promise<void> {
    await this.#source?.destroy().catch(() => undefined)
    this.#source = undefined
    if (!this.#child || hasEnded(this.#child)) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(this.#kind.signal)
    await ended
  }

  async stop(): Promise<void> {
    await this.kill()
    unstopped.delete(this)
    if (unstopped.size === 0) process.off('exit', killUnstopped)
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The last resort when the test process exits: synchronous. */
  killNow(): void {
    this.#child?.kill(this.#kind.signal)
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function killUnstopped(): void {
  for (const server of unstopped) server.killNow()
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Has graphile-worker make its schema. */
export async function withJobs({ url }: Pick<TestDatabase, 'url'>): Promise<void> {
  const { makeWorkerUtils } = await import('graphile-worker')
  const worker = await makeWorkerUtils({ connectionString: url })
  await worker.migrate()
  await worker.release()
}
