/** PostgreSQL, as it is read from and written to alike. */
import { ConfigurationError } from '../errors/index.js'
import type { Section, Server } from './server.js'

/** What pg's client is told: https://node-postgres.com/apis/client */
interface Access {
  readonly host: string
  readonly port?: number
  readonly user?: string
  /** Asked for where the server wants one. Throws ConfigurationError where there is none. */
  readonly password: () => string
  readonly database: string
  readonly ssl?: object
}

export function accessTo(server: Server, section: Section): Access {
  const { title, socket, host, port, username, database, ssl } = server
  const password = server.password ?? process.env['PGPASSWORD']
  return {
    host: socket ?? host,
    ...(port === undefined ? {} : { port }),
    ...(username === undefined ? {} : { user: username }),
    password() {
      if (password !== undefined) return password
      throw new ConfigurationError(`PostgreSQL at ${title} wants a password.`, {
        hint: `Put one into ${section}.url or ${section}.password.`,
      })
    },
    database,
    ...(ssl ? { ssl } : {}),
  }
}

/**
 * Opens a transaction with these settings, which end with it: between us and the server there may be a pool that
 * shares connections.
 */
export const begin = (how: string, settings: Readonly<Record<string, string | number>>): string =>
  [how, ...Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = ${value}`)].join('; ')
