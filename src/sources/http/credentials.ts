/** The credentials of requests. */
import type { Options } from './options.js'

interface Credentials {
  /** The configured headers, under lower-case names. */
  readonly own: Readonly<Record<string, string>>
  /** Their secret parts, which no message may show. */
  readonly secrets: readonly string[]
}

export function credentials({ auth, headers }: Options): Credentials {
  const own = new Headers(headers)
  const secrets = [...own.values()]
  if (auth) {
    const basic = Buffer.from(`${auth.user}:${auth.password}`).toString('base64')
    own.set('authorization', auth.bearer === undefined ? `Basic ${basic}` : `Bearer ${auth.bearer}`)
    secrets.push(basic, auth.bearer ?? '', auth.password ?? '')
  }
  return { own: Object.fromEntries(own), secrets: secrets.filter((secret) => secret !== '') }
}

export const masked = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((rest, value) => rest.replaceAll(value, '***'), text)
