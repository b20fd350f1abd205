/** The way to the server that has the stream, however it is configured. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import { ConfigurationError, codeOf, toError } from '../../errors/index.js'
import { defaultUrl, type Settings } from './options.js'
import { databaseIn, isTlsUrl, keyPrefixIn, passwordIn } from './url.js'

/** Where a process listens. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string }

export const addressOfEndpoint = (node: Endpoint): string =>
  'path' in node ? node.path : `${node.host.includes(':') ? `[${node.host}]` : node.host}:${node.port}`

export interface Login {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface Way {
  /** Whether `nodes` is the server itself, or those that know which one it is. */
  readonly by: 'server' | 'sentinels' | 'cluster'
  readonly nodes: readonly [Endpoint, ...Endpoint[]]
  readonly login: Login
  /** The number of the database, '' if none is configured. */
  readonly database: string
  /** Undefined for no TLS. */
  readonly tls: ConnectionOptions | undefined
  readonly hasPassword: boolean
  /** The folder of relative paths in the settings. */
  readonly baseDir: string
}

/** What identifies a sink: as configured, so that a failover doesn't change it. */
export function addressOf(settings: Settings, baseDir: string): string {
  const { sentinels, cluster, socket, name, stream } = settings
  const database = databaseOf(settings) || 0
  if (sentinels) return `sentinel://${name}@${sentinels.toSorted().join(',')}/${database} ${stream}`
  if (cluster) return `cluster://${cluster.toSorted().join(',')}/0 ${stream}`
  if (socket !== undefined) return `unix://${resolve(baseDir, socket)}/${database} ${stream}`
  const { url = defaultUrl } = settings
  const { protocol, hostname, port } = new URL(url)
  return `${protocol}//${hostname}:${port || 6379}/${database} ${keyPrefixIn(url)}${stream}`
}

const databaseOf = ({ database, url = defaultUrl }: Settings): string => String(database ?? databaseIn(url))

/** Reads the files of `tls`. Throws ConfigurationError. */
export async function wayOf(settings: Settings, baseDir: string): Promise<Way> {
  const { sentinels, cluster, socket, url = defaultUrl, username, password } = settings
  const isTls = settings.tls ? true : isTlsUrl(url)
  const rest = {
    login: { username, password: password || undefined },
    database: databaseOf(settings),
    tls: isTls ? await tlsOf(settings.tls, baseDir) : undefined,
    hasPassword: (password || passwordIn(url)) !== '',
    baseDir,
  }
  if (sentinels) return { by: 'sentinels', nodes: nodesIn(sentinels, 26379), ...rest }
  if (cluster) return { by: 'cluster', nodes: nodesIn(cluster, 6379), ...rest }
  if (socket !== undefined) return { by: 'server', nodes: [{ path: resolve(baseDir, socket) }], ...rest }
  const { hostname, port } = new URL(url)
  return { by: 'server', nodes: [nodeOf(`${hostname || 'localhost'}:${port || 6379}`, 6379)], ...rest }
}

const nodesIn = ([first = '', ...others]: readonly string[], port: number): [Endpoint, ...Endpoint[]] => [
  nodeOf(first, port),
  ...others.map((text) => nodeOf(text, port)),
]

function nodeOf(text: string, usualPort: number): Endpoint {
  const [, host = text, port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? usualPort) }
}

async function tlsOf(setting: Settings['tls'], baseDir: string): Promise<ConnectionOptions> {
  if (typeof setting !== 'object') return {}
  const { serverName } = setting
  const [ca, cert, key] = await Promise.all(
    (['ca', 'cert', 'key'] as const).map((what) => pemOf(setting[what], `sink.tls.${what}`, baseDir)),
  )
  try {
    if (ca !== undefined) new X509Certificate(ca)
    createSecureContext({ ca, cert, key })
  } catch (error) {
    throw new ConfigurationError(`sink.tls holds no certificates that can be used: ${toError(error).message}.`, {
      hint: 'Look at ca, cert and key: PEM is expected, and the key of that very certificate, without a passphrase.',
      cause: error,
    })
  }
  return { ca, cert, key, ...(serverName === undefined ? {} : { servername: serverName }) }
}

async function pemOf(setting: string | undefined, key: string, baseDir: string): Promise<string | undefined> {
  if (setting === undefined || setting.includes('-----BEGIN')) return setting
  const path = resolve(baseDir, setting)
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new ConfigurationError(`${key} can't be read: ${path} (${codeOf(error)}).`, {
      hint: 'Name a file that owm may read, or write the PEM text there.',
      cause: error,
    })
  })
}
