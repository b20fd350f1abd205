/** The options of `use: redis-stream`. */
import * as z from 'zod'
import { databaseIn, isTlsUrl, mistakeIn, passwordIn } from './url.js'

const timeout = z.number().int().min(1).max(3_600_000)

export const defaultUrl = 'redis://127.0.0.1:6379'

const url = z
  .string()
  .regex(/^rediss?:\/\//, 'a URL that starts with redis:// or rediss:// is expected')
  .superRefine((text, { addIssue }) => {
    const message = /^rediss?:\/\//.test(text) ? mistakeIn(text) : undefined
    if (message !== undefined) addIssue({ code: 'custom', message })
  })

/** `10.0.0.1:26379`, `host`, `[::1]:26379` */
const node = z
  .string()
  .regex(/^(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i, 'host:port is expected, such as 10.0.0.1:26379 or [::1]:26379')
  .refine((text) => Number(/:(\d+)$/.exec(text)?.[1] ?? 1) <= 65_535, 'a port is at most 65535')

const pem = (what: string) => z.string().min(1).describe(`${what}: a file, or its PEM text`)

const tls = z
  .strictObject({
    ca: pem('certificates of the authorities that are trusted, instead of the usual ones').optional(),
    cert: pem("owm's own certificate, for a server that wants one").optional(),
    key: pem('the key of that certificate').optional().meta({ secret: true }),
    serverName: z
      .string()
      .min(1)
      .optional()
      .describe('name that the certificate of the server must have, where it is not the host'),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key go together')

const durability = z.strictObject({
  replicas: z.number().int().min(1).max(100).describe('replicas that must have a batch before it counts as delivered'),
  timeoutMs: timeout.default(1_000).describe('longest wait for them, in milliseconds'),
})

const keys = z.strictObject({
  url: url
    .optional()
    .describe('the server: redis://user:password@host:port/db, or rediss:// for TLS')
    .meta({ secret: true, default: defaultUrl }),
  socket: z.string().min(1).optional().describe('instead of `url`: the Unix socket of the server, a file'),
  sentinels: z.array(node).min(1).optional().describe('instead of `url`: Sentinels, which know the master; host:port'),
  name: z.string().min(1).optional().describe('with `sentinels`: the name under which they know it'),
  sentinelUsername: z.string().min(1).optional().describe('user at the Sentinels'),
  sentinelPassword: z.string().optional().describe('password at the Sentinels').meta({ secret: true }),
  cluster: z.array(node).min(1).optional().describe('instead of `url`: some nodes of a Redis Cluster; host:port'),
  database: z.number().int().min(0).max(999_999_999).optional().describe('number of the database, 0 if not given'),
  username: z.string().min(1).optional().describe('user, where `url` has none; without one it is `default`'),
  password: z.string().optional().describe('password, where `url` has none').meta({ secret: true }),
  tls: z
    .union([z.boolean(), tls])
    .optional()
    .describe('how to speak TLS; `true` for `sentinels` or `cluster` with a certificate that is trusted anyway'),
  durability: durability
    .optional()
    .describe('a batch counts as delivered only when so many replicas have confirmed it (WAIT)'),
  stream: z.string().min(1).default('owm-ingestion-stream').describe('key of the stream'),
  maxLength: z.number().int().min(1).default(100_000).describe('bound of the stream in entries, trimmed approximately'),
  onFull: z
    .enum(['trim', 'hold'])
    .default('trim')
    .describe(
      'what happens to the oldest entries of a full stream: `trim` removes them, read or not, and says how many ' +
        'nobody has read; `hold` keeps unread ones, and the new tasks wait in the outbox',
    ),
  connectTimeoutMs: timeout.default(15_000).describe('longest time to connect, in milliseconds'),
  commandTimeoutMs: timeout.default(5_000).describe('longest time for an answer, in milliseconds'),
  healthCheckTimeoutMs: timeout.default(3_000).describe('longest time for the first PING, in milliseconds'),
})

type Parsed = z.output<typeof keys>

export const options = keys
  .superRefine((settings, { addIssue }) => {
    for (const [key, message] of contradictionsIn(settings)) addIssue({ code: 'custom', path: [key], message })
  })
  .transform((settings): Parsed => (placesIn(settings).length > 0 ? settings : { ...settings, url: defaultUrl }))

export type Settings = z.output<typeof options>

const placesIn = (settings: Parsed) =>
  (['url', 'socket', 'sentinels', 'cluster'] as const).filter((key) => settings[key] !== undefined)

/** Keys that don't go together, each with what to do. */
function* contradictionsIn(settings: Parsed): Generator<[key: string, message: string]> {
  const { url, sentinels, cluster, socket, name, database, username, password } = settings
  const [, second] = placesIn(settings)
  if (second !== undefined) {
    yield [second, 'keep exactly one of url (or OWM_REDIS_URL), socket, sentinels and cluster']
    return
  }
  if (url !== undefined && mistakeIn(url) !== undefined) return // reported already
  if (sentinels && name === undefined) yield ['name', 'sentinels need the name of the master, such as mymaster']
  for (const key of ['name', 'sentinelUsername', 'sentinelPassword'] as const)
    if (!sentinels && settings[key] !== undefined) yield [key, 'it goes with sentinels, and there are none']
  if (settings.sentinelUsername !== undefined && !settings.sentinelPassword)
    yield ['sentinelPassword', 'sentinelUsername needs one']
  const { username: inUrl } = new URL(url ?? defaultUrl)
  const hasUser = inUrl !== '' || passwordIn(url ?? defaultUrl) !== ''
  if (hasUser && username !== undefined) yield ['username', 'user and password stand in url: leave one of the two out']
  else if (hasUser && password) yield ['password', 'user and password stand in url: leave one of the two out']
  else if (username !== undefined && !password) yield ['password', 'username needs one']
  if (database && cluster) yield ['database', 'a cluster has only the database 0']
  else if (database !== undefined && databaseIn(url ?? defaultUrl) !== '')
    yield ['database', 'it stands in url: leave one of the two out']
  if (settings.tls && socket !== undefined) yield ['tls', 'a socket needs no TLS: leave it out']
  else if (settings.tls && !sentinels && !cluster && !isTlsUrl(url ?? defaultUrl))
    yield ['tls', 'it needs a url that starts with rediss://']
}
