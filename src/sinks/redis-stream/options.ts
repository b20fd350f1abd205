/** What may stand beside `use: redis-stream`. */
import * as z from 'zod'
import { nearest } from '../../errors/suggest.js'

const timeout = z.number().int().min(1).max(3_600_000)

/** Of ioredis' options those that a URL may set. */
export const parameters = [
  'allowUsernameInURI',
  'clientInfoTag',
  'commandTimeout',
  'connectionName',
  'connectTimeout',
  'db',
  'disconnectTimeout',
  'family',
  'keepAlive',
  'keyPrefix',
  'noDelay',
  'password',
  'socketTimeout',
  'tls',
  'username',
]

/** Those that owm sets itself: they have no effect, as ever. */
export const ownParameters = [
  'autoResendUnfulfilledCommands',
  'disableClientInfo',
  'enableOfflineQueue',
  'enableReadyCheck',
  'lazyConnect',
  'maxRetriesPerRequest',
  'retryStrategy',
]

/** The number of the database, '' where the URL names none. */
export function databaseIn(text: string): string {
  const { pathname, searchParams } = new URL(text)
  return pathname.slice(1) || (searchParams.get('db') ?? '')
}

/** The password that a URL has, '' for none. */
export function passwordIn(text: string): string {
  const { password, searchParams } = new URL(text)
  return password || (searchParams.get('password') ?? '')
}

/** What is wrong with a URL, in words without its values; undefined where nothing is. */
function mistakeIn(text: string): string | undefined {
  const form =
    'redis://user:password@host:port/db is expected; in user and password write / as %2F, : as %3A, @ as %40, # as %23'
  if (!URL.canParse(text)) return form
  const { pathname, username, password, hash, searchParams } = new URL(text)
  if (!/^\/?\d*$/.test(pathname) || hash !== '' || !/^\d{0,9}$/.test(databaseIn(text))) return form
  try {
    decodeURIComponent(username + password)
  } catch {
    return 'a % in user and password is written as %25'
  }
  const known = [...parameters, ...ownParameters]
  const unknown = [...searchParams.keys()].find((name) => !known.includes(name))
  if (unknown === undefined) return undefined
  const near = nearest(unknown, parameters)
  const meant = near === undefined ? `known are ${parameters.join(', ')}` : `the nearest is ${near}`
  return `its query has an unknown parameter, ${unknown}: ${meant}`
}

const url = z
  .string()
  .regex(/^rediss?:\/\//, 'a URL that starts with redis:// or rediss:// is expected')
  .superRefine((text, { addIssue }) => {
    const message = /^rediss?:\/\//.test(text) ? mistakeIn(text) : undefined
    if (message !== undefined) addIssue({ code: 'custom', message })
  })

export const options = z.strictObject({
  url: url
    .default('redis://127.0.0.1:6379')
    .describe('the server: redis://user:password@host:port/db, or rediss:// for TLS')
    .meta({ secret: true }),
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

export type Settings = z.output<typeof options>
