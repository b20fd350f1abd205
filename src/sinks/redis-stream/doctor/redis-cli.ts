/** Commands for `redis-cli` that can be pasted: they reach the server that was examined, as the same user. */
import { resolve } from 'node:path'
import { compact } from '../../../lists.js'
import type { Diagnosis } from '../../../plugin.js'
import { defaultUrl, type Settings } from '../options.js'
import { usernameIn } from '../url.js'
import type { Endpoint, Way } from '../way.js'
import { checks } from './checks.js'

/** A word of a command line, for a POSIX shell. */
export const word = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

interface Examined {
  /** The server that answered. */
  readonly node: Endpoint
  readonly settings: Settings
  readonly way: Way
}

/** What is wrong, with what to do: `redis-cli` there becomes a command that reaches the server. */
export function withCommands(found: readonly Diagnosis[], examined: Examined): Diagnosis[] {
  const command = ['redis-cli', ...argumentsFor(examined).map(word)].join(' ')
  return found.map((one) => {
    const todo = one.todo ?? Object.entries(checks).find(([code]) => code === one.code)?.[1].todo
    if (one.verdict !== 'wrong' || !todo?.includes('redis-cli ')) return one
    return { ...one, todo: [todo.replaceAll('redis-cli ', () => `${command} `), ...notes(examined)].join(' ') }
  })
}

/** Without the password. */
function argumentsFor({ node, settings, way }: Examined): string[] {
  const { url = defaultUrl, username = usernameIn(url) } = settings
  return compact(
    ...('path' in node ? ['-s', node.path] : ['-h', node.host, '-p', `${node.port}`]),
    way.by === 'cluster' && '-c',
    ...(Number(way.database) > 0 ? ['-n', way.database] : []),
    ...(way.tls === undefined ? [] : ['--tls', ...tlsArguments(settings.tls, way.baseDir)]),
    ...(way.hasPassword && !['', 'default'].includes(username) ? ['--user', username] : []),
  )
}

function tlsArguments(tls: Settings['tls'], baseDir: string): string[] {
  if (typeof tls !== 'object') return []
  const file = (name: 'ca' | 'cert', given = tls[name] ?? ''): string =>
    isText(given) ? `${name}.pem` : resolve(baseDir, given)
  return [
    ...(tls.ca === undefined ? [] : ['--cacert', file('ca')]),
    ...(tls.cert === undefined ? [] : ['--cert', file('cert'), '--key', 'key.pem']),
    ...(tls.serverName === undefined ? [] : ['--sni', tls.serverName]),
  ]
}

/** PEM itself, and no file. */
const isText = (given: string): boolean => given.includes('-----BEGIN')

/** What the command line can't have: where the key is, is a secret, too. */
function notes({ settings: { tls }, way }: Examined): string[] {
  const given = typeof tls === 'object' ? tls : {}
  const copied = (['ca', 'cert', 'key'] as const).filter(
    (name) => name in given && (name === 'key' || isText(given[name] ?? '')),
  )
  return compact(
    ...copied.map((name) => `Copy sink.tls.${name} to ${name}.pem first.`),
    way.hasPassword && 'redis-cli takes the password from REDISCLI_AUTH in its environment.',
  )
}
