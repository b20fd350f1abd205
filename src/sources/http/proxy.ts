/** The proxies that the environment names, as curl and other programs take them. */
import { ConfigurationError } from '../../errors/index.js'

interface Proxy {
  /** The variable that names it. */
  readonly variable: string
  readonly url: string
}

export interface Proxies {
  readonly http: Proxy | undefined
  /** Like most clients, undici uses the one for http if there is none for https. */
  readonly https: Proxy | undefined
}

/** Throws ConfigurationError. */
export function proxiesIn(env: Readonly<Record<string, string | undefined>>): Proxies {
  const http = proxyIn(env, 'http_proxy')
  return { http, https: proxyIn(env, 'https_proxy') ?? http }
}

/** The variable of the proxy that requests to a URL may take; `NO_PROXY` may exclude its host. */
export const proxyVariable = (proxies: Proxies, { protocol }: URL): string | undefined =>
  (protocol === 'https:' ? proxies.https : proxies.http)?.variable

function proxyIn(env: Readonly<Record<string, string | undefined>>, name: string): Proxy | undefined {
  const variable = env[name] === undefined ? name.toUpperCase() : name
  const value = env[variable]?.trim()
  if (!value) return undefined
  const url = value.includes('://') ? value : `http://${value}`
  const protocol = URL.canParse(url) ? new URL(url).protocol : undefined
  if (protocol === 'http:' || protocol === 'https:') return { variable, url }
  // The value may contain a password.
  throw new ConfigurationError(`The variable ${variable} names no proxy that the source http can use.`, {
    hint:
      `Set it to http://host:port or https://user:password@host:port; SOCKS isn't supported. ` +
      'To use no proxy, name the host of source.url in NO_PROXY.',
  })
}
