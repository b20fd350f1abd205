/** The options of the source `http`. */
import * as z from 'zod'
import { fieldOptions } from '../fields/options.js'
import { csvOptions } from '../formats/csv/options.js'
import { layout } from '../formats/layout.js'
import { encoding } from '../formats/text.js'

const name = z.string().min(1)
const path = z.string().min(1).optional()
const secret = { secret: true }
const scalar = z.union([z.string(), z.number(), z.boolean()])

const pagination = z
  .strictObject({
    type: z
      .enum(['page', 'offset', 'cursor', 'link'])
      .optional()
      .describe(
        'how the next page is asked for: by its number, by the items before it, ' +
          'by a cursor or a link that the answer gives (no link: all in one answer); ' +
          'by default its number, or the link in a list of links (OGC API Features, STAC)',
      ),
    limit: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe('items to ask for at once; 100, or with links what the server gives by itself')
      .meta({ unit: 'items' }),
    start: z
      .union([z.int().min(0), z.string().min(1)])
      .optional()
      .describe('number of the first page, or first offset (0); cursor of the first page (none)'),
    parameters: z
      .strictObject({
        page: name.default('page').describe("query parameter for the page's number"),
        offset: name.default('offset').describe('query parameter for the offset'),
        cursor: name.default('cursor').describe('query parameter for the cursor'),
        limit: name.default('limit').describe('query parameter for the limit'),
      })
      .prefault({})
      .describe("the server's own names of the query parameters"),
    end: z
      .enum(['empty', 'short', 'not-found', 'repeat'])
      .optional()
      .describe(
        'what ends a list, besides its total: an empty page, whatever it says of a next one; and where pages are ' +
          'counted a page with fewer items than `limit`, a page that is not there (404), or the last page again; ' +
          'by default an empty page that says nothing else',
      ),
  })
  .refine(
    ({ type = 'page', start }) =>
      start === undefined || type === 'cursor' || (typeof start === 'number' && type !== 'link'),
    {
      path: ['start'],
      message: 'a whole number is expected; text only for a cursor, nothing for links',
    },
  )
  .prefault({})
  .describe('how the list is cut into pages')

export const options = z
  .strictObject({
    url: z
      .string()
      .refine(isPlainUrl, 'http://host/path or https://host/path is expected; user and password belong in `auth`')
      .describe("the list, with whatever query it needs beside the pagination's")
      .meta(secret),
    pagination,
    items: path.describe(
      'path in the answer to the list of items, such as data.cities; found where there is only one list of objects',
    ),
    total: z
      .union([z.literal(false), z.string().min(1)])
      .optional()
      .describe(
        'path in the answer to the number of all items; usual names and the header X-Total-Count are known; ' +
          'false: there is none to rely on',
      ),
    next: z
      .union([z.literal(false), z.string().min(1)])
      .optional()
      .describe(
        'path in the answer to the next cursor or link; usual names and the header Link are known; ' +
          'in a list of links a name is a relation, `links.next`; ' +
          'false: there is none, and what looks as if more followed means something else',
      ),
    ok: z
      .record(name, z.union([scalar, z.array(scalar).min(1)]))
      .optional()
      .describe(
        'values that a good answer has, by their paths, `status: [OK, ZERO_RESULTS]`; any other is an error, ' +
          'whatever its HTTP status; the usual forms of errors are known',
      ),
    format: z
      .enum(['json', 'csv', 'tsv', 'ndjson'])
      .optional()
      .describe('what the answers are, also compressed as a .gz file; by default JSON'),
    layout,
    encoding: encoding("the answers'", "what a byte order mark or the header Content-Type's charset says, or UTF-8"),
    headers: z
      .record(name, z.string())
      .refine(areHeaders, 'names and values of HTTP headers are expected')
      .optional()
      .describe('more request headers; like `auth` they go to the origin of `url` only')
      .meta(secret),
    auth: z
      .strictObject({
        bearer: z
          .string()
          .min(1)
          .optional()
          .describe('token of the bearer scheme: better the name of an environment variable than itself')
          .meta(secret),
        user: z.string().min(1).optional().describe('user of the basic scheme'),
        password: z.string().optional().describe('password of the basic scheme: likewise').meta(secret),
      })
      .refine(
        ({ bearer, user, password }) => (bearer === undefined) === (user !== undefined && password !== undefined),
        'give `bearer`, or `user` and `password`',
      )
      .optional()
      .describe('who asks')
      .meta(secret),
    ...fieldOptions,
    ...csvOptions,
    maxPages: z
      .int()
      .min(1)
      .optional()
      .describe('more pages than these are an error: the list may never end')
      .meta({ unit: 'pages', keepsCheckpoint: true }),
    minIntervalMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .optional()
      .describe('shortest time between the starts of two requests, in milliseconds')
      .meta({ unit: 'ms', keepsCheckpoint: true }),
    requestTimeoutMs: z
      .int()
      .min(1)
      .max(3_600_000)
      .default(10_000)
      .describe('longest time for a whole answer, in milliseconds')
      .meta({ unit: 'ms', keepsCheckpoint: true }),
    maxBodyBytes: z
      .int()
      .min(1)
      .max(256 * 2 ** 20)
      .default(16 * 2 ** 20)
      .describe('longest answer that is read, in bytes after decompression')
      .meta({ unit: 'bytes', keepsCheckpoint: true }),
  })
  .meta({
    examples: [
      {
        url: 'https://api.example.com/v1/cities/',
        pagination: { type: 'page', limit: 100 },
        auth: { bearer: '${API_TOKEN}' },
      },
    ],
  })

export type Options = z.output<typeof options>

export function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}

function areHeaders(headers: Readonly<Record<string, string>>): boolean {
  try {
    new Headers(headers)
    return true
  } catch {
    return false
  }
}
