/** The options of `use: postgres`. */
import * as z from 'zod'
import { namesDatabase } from '../../databases/url.js'

const name = z.string().min(1)
const milliseconds = z.number().int().min(1).max(86_400_000).meta({ unit: 'ms' })
const text = (bytes: number) =>
  z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= bytes, `at most ${bytes} bytes are expected`)

/** PostgreSQL's limit for a name, in bytes, and the longest suffix of owm's tables beside the tasks' one. */
const longestName = 63
const longestSuffix = '_truncated'.length

const jobs = z
  .strictObject({
    task: text(128).default('owm_task').describe('the task identifier under which workers find their jobs'),
    schema: text(longestName).default('graphile_worker').describe('the schema of graphile-worker'),
    queueName: text(128).optional().describe('a queue for all jobs, which does one after the other'),
    maxAttempts: z.number().int().min(1).max(32_767).optional().describe('attempts at a job; graphile-worker: 25'),
    priority: z.number().int().min(-32_768).max(32_767).optional().describe('lower ones come first; 0'),
  })
  .describe('with `queue: graphile-worker`: what its jobs are like')

export const options = z
  .strictObject({
    url: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'a URL that starts with postgres:// or postgresql:// is expected')
      .refine((url) => !/^postgres(ql)?:\/\//.test(url) || namesDatabase(url), {
        message:
          'postgres://user:password@host:port/database is expected; ' +
          'in user and password write / as %2F, : as %3A, @ as %40, # as %23, ? as %3F, or set sink.password; ' +
          'in its name @ as %40',
      })
      .optional()
      .describe(
        'the database: postgres://user:password@host:port/name; for TLS ?sslmode=require, verify-ca or verify-full, ' +
          'with sslrootcert, sslcert and sslkey (files); for a socket ?host=PATH',
      )
      .meta({ secret: true }),
    host: name.optional().describe('instead of `url`: the host, or the path of the folder of a Unix socket'),
    port: z.number().int().min(1).max(65_535).optional().describe('with `host`: the port; 5432'),
    database: name.optional().describe('with `host`: the name of the database'),
    username: name.optional().describe('with `host`: the role'),
    password: name
      .optional()
      .describe('the password, where it is not in the URL: as it is, nothing percent-encoded')
      .meta({ secret: true }),
    sslmode: z
      .enum(['disable', 'require', 'verify-ca', 'verify-full'])
      .optional()
      .describe('with `host`: what TLS is for; `require` encrypts, `verify-full` checks who answers'),
    sslrootcert: name.optional().describe('with `host`: file with the authority of the certificate'),
    sslcert: name.optional().describe("with `host`: file with the client's certificate"),
    sslkey: name.optional().describe('with `host`: file with its key'),
    table: text(longestName - longestSuffix)
      .refine((text) => !/^\.|\.$/.test(text), 'a name is expected on both sides of the dot')
      .default('owm_tasks')
      .describe('the table of the tasks, exactly its name, `tasks` or `weather.tasks`; names of others begin with it'),
    schema: text(longestName).optional().describe("the table's schema; with it, a dot in `table` belongs to the name"),
    onDone: z
      .enum(['keep', 'delete'])
      .default('keep')
      .describe('what workers do with the row of a task that is done; where they delete it, a missing row is no loss'),
    queue: z
      .enum(['graphile-worker'])
      .optional()
      .describe('makes a job of each task, for this library, instead of a row of the table'),
    jobs: jobs.optional(),
    connectTimeoutMs: milliseconds.default(15_000).describe('longest time to connect, in milliseconds'),
    statementTimeoutMs: milliseconds
      .default(20_000)
      .describe('longest time of one statement, in milliseconds. Keep it below timeoutMs'),
    lockTimeoutMs: milliseconds.default(5_000).describe('longest wait for a lock, in milliseconds'),
  })
  .refine(({ url, host }) => (url === undefined) !== (host === undefined), 'give either `url` or `host`')
  .refine(({ host, database }) => (host === undefined) === (database === undefined), '`host` goes with `database`')
  .refine(
    ({ host, port, username, sslmode, sslrootcert, sslcert, sslkey }) =>
      host !== undefined || [port, username, sslmode, sslrootcert, sslcert, sslkey].every((part) => part === undefined),
    '`port`, `username` and the ssl… options go with `host`; in `url` they have a place of their own',
  )
  .refine(({ queue, jobs }) => queue !== undefined || jobs === undefined, '`jobs` goes with `queue: graphile-worker`')
  .meta({ examples: [{ url: 'postgres://owm@db.example/weather', password: '${DB_PASSWORD}', table: 'owm_tasks' }] })

export type Settings = z.output<typeof options>

/** The parts as a URL, with libpq's parameters. */
export function urlOf({ url, host = '', port, database = '', username, ...tls }: Settings): string {
  if (url !== undefined) return url
  const isSocket = host.startsWith('/')
  const place = host.includes(':') ? `[${host}]` : host
  const made = new URL(`postgres://${isSocket ? 'localhost' : place}${port === undefined ? '' : `:${port}`}/`)
  made.pathname = encodeURIComponent(database)
  made.username = encodeURIComponent(username ?? '')
  if (isSocket) made.searchParams.set('host', host)
  for (const name of ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const) {
    const value = tls[name]
    if (value !== undefined) made.searchParams.set(name, value)
  }
  return made.href
}
