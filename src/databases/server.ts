/** A database server's address, credentials and TLS, from a URL with libpq's parameters. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { ConfigurationError, toError } from '../errors/index.js'
import { urlParameters } from './url.js'

/** The section of the configuration that names the server. */
export type Section = 'source' | 'sink'

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

/** How much later than the server owm gives up a statement, in milliseconds: the server's error says more. */
export const graceMs = 2_000

const sslModes = ['disable', 'require', 'verify-ca', 'verify-full']

/** @param section for messages. Throws ConfigurationError. */
export async function serverOf(
  { url: text, password }: { readonly url: string; readonly password?: string | undefined },
  baseDir: string,
  section: Section,
): Promise<Server> {
  const url = new URL(text)
  const parameter = (name: string): string | undefined => url.searchParams.get(name) ?? undefined
  const unknown = [...url.searchParams.keys()].find((key) => !urlParameters.includes(key))
  if (unknown !== undefined)
    throw new ConfigurationError(`${section}.url has the parameter ${unknown}, which is not known.`, {
      hint: `Known parameters: ${urlParameters.join(', ')}.`,
    })
  const mode = parameter('sslmode')
  if (mode !== undefined && !sslModes.includes(mode))
    throw new ConfigurationError(`${section}.url has sslmode=${mode}, which is not known.`, {
      hint: `Known: ${sslModes.join(', ')}; libpq's allow and prefer would leave to chance whether it is encrypted.`,
    })
  const pem = async (name: string): Promise<Buffer | undefined> => {
    const file = parameter(name)
    if (file === undefined) return undefined
    return readFile(resolve(baseDir, file)).catch((error: unknown) => {
      throw new ConfigurationError(`The file ${resolve(baseDir, file)} can't be read: ${toError(error).message}`, {
        hint:
          file === 'system'
            ? `For public authorities, take sslrootcert out of ${section}.url, and set sslmode=verify-full.`
            : `Correct ${name} in ${section}.url.`,
      })
    })
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost'
  // libpq also takes a socket for the host: postgres://%2Frun%2Fpostgresql/name.
  const socket = parameter('host') ?? (/^%2f/i.test(host) ? decoded(host, section) : undefined)
  const database = decoded(url.pathname.slice(1), section)
  const [username, inUrl] = [decoded(url.username, section), decoded(url.password, section)]
  const files = { ca: await pem('sslrootcert'), cert: await pem('sslcert'), key: await pem('sslkey') }
  const sslMode = mode ?? (socket === undefined ? modeFor(files) : 'disable')
  return {
    title: `${socket ?? `${host}${url.port ? `:${url.port}` : ''}`}/${database}`,
    host,
    database,
    ...(socket === undefined ? {} : { socket }),
    ...(url.port ? { port: Number(url.port) } : {}),
    ...(username ? { username } : {}),
    ...((password ?? inUrl) ? { password: password ?? inUrl } : {}),
    ...(sslMode === 'disable' ? {} : { ssl: tls(sslMode, files, section) }),
  }
}

type Files = Readonly<Record<'ca' | 'cert' | 'key', Buffer | undefined>>

/** The mode if none is given: an authority is there to verify the server, a client certificate needs TLS. */
function modeFor({ ca, cert, key }: Files): string {
  if (ca) return 'verify-full'
  return cert || key ? 'require' : 'disable'
}

/**
 * libpq's modes: `require` encrypts, `verify-ca` also checks the certificate's issuer, `verify-full` its name as well.
 * Throws ConfigurationError.
 */
function tls(mode: string, files: Files, section: Section): object {
  const given = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined))
  try {
    createSecureContext(given)
  } catch (cause) {
    throw new ConfigurationError(`The TLS files of ${section}.url can't be used: ${toError(cause).message}.`, {
      hint:
        'Look at sslrootcert, sslcert and sslkey: PEM is expected, and the key of that very certificate, without a ' +
        'passphrase.',
      cause,
    })
  }
  const isFull = mode === 'verify-full'
  // pg uses Node's checkServerIdentity, mysql2 its own verifyIdentity.
  return {
    ...given,
    rejectUnauthorized: mode !== 'require',
    verifyIdentity: isFull,
    ...(isFull ? {} : { checkServerIdentity: () => undefined }),
  }
}

function decoded(text: string, section: Section): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new ConfigurationError(`${section}.url isn't well percent-encoded.`, {
      hint: 'In user, password and name write % as %25.',
      cause,
    })
  }
}
