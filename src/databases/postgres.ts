/** Connecting to PostgreSQL, for the source and the sink alike. */
import { ConfigurationError } from '../errors/index.js'
import type { Section, Server } from './server.js'

/** Options of pg's client: https://node-postgres.com/apis/client */
interface Access {
  readonly host: string
  readonly port?: number
  readonly user?: string
  /** Called if the server wants one. Throws ConfigurationError if none is configured. */
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
 * Opens a transaction with settings that end with it: a pooler may give the connection to another client afterwards.
 */
export const begin = (statement: string, settings: Readonly<Record<string, string | number>>): string =>
  [statement, ...Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = ${value}`)].join('; ')
