/** What may stand beside `use: redis-stream`. */
import * as z from 'zod'

const timeout = z.number().int().min(1).max(3_600_000)

export const options = z.strictObject({
  url: z
    .string()
    .regex(/^rediss?:\/\//, 'a URL that starts with redis:// or rediss:// is expected')
    .refine((url) => URL.canParse(url) && /^\/?\d*$/.test(new URL(url).pathname), {
      message:
        'redis://user:password@host:port/db is expected; in user and password write / as %2F, : as %3A, @ as %40',
      when: ({ value }) => String(value).startsWith('redis'),
    })
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
