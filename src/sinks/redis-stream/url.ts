/** `redis://user:password@host:port/db?…`: its parts, and what is allowed in it. */
import { nearest } from '../../errors/suggest.js'

/** The options of ioredis that a URL may set. ioredis takes each for a string, so that `false` counts as true. */
const numbers = ['commandTimeout', 'connectTimeout', 'disconnectTimeout', 'family', 'keepAlive', 'socketTimeout']
const flags = ['allowUsernameInURI', 'noDelay']
const texts = ['clientInfoTag', 'connectionName', 'db', 'keyPrefix', 'password', 'tls', 'username']
const parameters = [...numbers, ...flags, ...texts].sort()

/** Options that owm sets itself: allowed in a URL, but without effect. */
const ownParameters = [
  'autoResendUnfulfilledCommands',
  'disableClientInfo',
  'enableOfflineQueue',
  'enableReadyCheck',
  'lazyConnect',
  'maxRetriesPerRequest',
  'retryStrategy',
]

/** The number of the database, '' for none. */
export function databaseIn(text: string): string {
  const { pathname, searchParams } = new URL(text)
  return pathname.slice(1) || (searchParams.get('db') ?? '')
}

/** The user that a URL has, '' for none. */
export function usernameIn(text: string): string {
  const { username, searchParams } = new URL(text)
  return decodeURIComponent(username) || (searchParams.get('username') ?? '')
}

/** The password that a URL has, '' for none. */
export function passwordIn(text: string): string {
  const { password, searchParams } = new URL(text)
  return password || (searchParams.get('password') ?? '')
}

/** Whether a URL asks for TLS. */
export const isTlsUrl = (text: string): boolean =>
  text.startsWith('rediss:') || new URL(text).searchParams.get('tls') === 'true'

/** The prefix that a URL sets for all keys, '' for none. */
export const keyPrefixIn = (text: string): string => new URL(text).searchParams.get('keyPrefix') ?? ''

/** Takes the options of ioredis that aren't strings out of a URL, and removes those that owm sets itself. */
export function takeOptions({ searchParams }: URL): Record<string, number | boolean> {
  const taken: Record<string, number | boolean> = {}
  for (const name of [...numbers, ...flags]) {
    const value = searchParams.get(name)
    if (value !== null) taken[name] = flags.includes(name) ? value === 'true' : Number(value)
  }
  for (const name of [...ownParameters, ...numbers, ...flags, 'db', 'tls']) searchParams.delete(name)
  return taken
}

/** What is wrong with a URL, without quoting its values; undefined if nothing is. */
export function mistakeIn(text: string): string | undefined {
  const form =
    'redis://user:password@host:port/db is expected; in user and password write ' +
    '/ as %2F, : as %3A, @ as %40, # as %23, ? as %3F'
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
  if (unknown === undefined) return wrongValueIn(searchParams)
  const near = nearest(unknown, parameters)
  const suggestion = near === undefined ? `known are ${parameters.join(', ')}` : `the nearest is ${near}`
  return `its query has an unknown parameter, ${unknown}: ${suggestion}`
}

function wrongValueIn(query: URLSearchParams): string | undefined {
  for (const [name, value] of query) {
    if (numbers.includes(name) && !/^\d{1,9}$/.test(value)) return `${name} in its query must be a number`
    if ([...flags, 'tls'].includes(name) && !/^(true|false)$/.test(value))
      return `${name} in its query must be true or false`
  }
  return undefined
}
