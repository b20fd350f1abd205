/** Where a database server is, and how it is reached: libpq's URL. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ConfigurationError, toError } from '../../errors/index.js'
import type { Settings } from './options.js'

export interface Server {
  readonly title: string
  readonly host: string
  readonly port?: number
  /** The path of a Unix socket, in place of host and port. */
  readonly socket?: string
  readonly username?: string
  readonly password?: string
  readonly database: string
  readonly ssl?: object
}

const parameters = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host']
const sslModes = ['disable', 'require', 'verify-ca', 'verify-full']

export async function serverOf({ url: text, password }: Settings, baseDir: string): Promise<Server> {
  const url = new URL(text)
  const parameter = (name: string): string | undefined => url.searchParams.get(name) ?? undefined
  const unknown = [...url.searchParams.keys()].find((key) => !parameters.includes(key))
  if (unknown !== undefined)
    throw new ConfigurationError(`source.url has the parameter ${unknown}, which is not known.`, {
      hint: `Known parameters: ${parameters.join(', ')}.`,
    })
  const mode = parameter('sslmode')
  if (mode !== undefined && !sslModes.includes(mode))
    throw new ConfigurationError(`source.url has sslmode=${mode}, which is not known.`, {
      hint: `Known: ${sslModes.join(', ')}.`,
    })
  const pem = async (name: string): Promise<Buffer | undefined> => {
    const file = parameter(name)
    if (file === undefined) return undefined
    return readFile(resolve(baseDir, file)).catch((error: unknown) => {
      throw new ConfigurationError(`The file ${resolve(baseDir, file)} can't be read: ${toError(error).message}`, {
        hint: `Correct ${name} in source.url.`,
      })
    })
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost'
  const socket = parameter('host')
  const database = decoded(url.pathname.slice(1))
  const [username, inUrl] = [decoded(url.username), decoded(url.password)]
  const [ca, cert, key] = [await pem('sslrootcert'), await pem('sslcert'), await pem('sslkey')]
  return {
    title: `${socket ?? `${host}${url.port ? `:${url.port}` : ''}`}/${database}`,
    host,
    database,
    ...(socket === undefined ? {} : { socket }),
    ...(url.port ? { port: Number(url.port) } : {}),
    ...(username ? { username } : {}),
    ...((password ?? inUrl) ? { password: password ?? inUrl } : {}),
    ...(mode === undefined || mode === 'disable' ? {} : { ssl: tls(mode, { ca, cert, key }) }),
  }
}

/** libpq's words: `require` encrypts, `verify-ca` checks the certificate's issuer, `verify-full` its name, too. */
function tls(mode: string, files: Readonly<Record<'ca' | 'cert' | 'key', Buffer | undefined>>): object {
  const given = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined))
  const isFull = mode === 'verify-full'
  // pg goes by Node's own checkServerIdentity, mysql2 by verifyIdentity.
  return {
    ...given,
    rejectUnauthorized: mode !== 'require',
    verifyIdentity: isFull,
    ...(isFull ? {} : { checkServerIdentity: () => undefined }),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new ConfigurationError("source.url isn't well percent-encoded.", {
      hint: 'In user, password and name write % as %25.',
      cause,
    })
  }
}
