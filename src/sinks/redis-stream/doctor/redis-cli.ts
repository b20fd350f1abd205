/** Commands for `redis-cli` to paste: they reach the server that was examined, as the same user. */
import { resolve } from 'node:path'
import { compact } from '../../../lists.js'
import type { Diagnosis } from '../../../plugin.js'
import { defaultUrl, type Settings } from '../options.js'
import { usernameIn } from '../url.js'
import type { Endpoint, Way } from '../way.js'
import { checks } from './checks.js'

/** A word as a POSIX shell's command line has it. */
export const shellQuoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

interface Examined {
  /** The server that answered. */
  readonly node: Endpoint
  readonly settings: Settings
  readonly way: Way
}

/** In the `todo` of what is wrong, `redis-cli` becomes a command that reaches the server. */
export function withCommands(diagnoses: readonly Diagnosis[], examined: Examined): Diagnosis[] {
  const command = ['redis-cli', ...argumentsFor(examined).map(shellQuoted)].join(' ')
  return diagnoses.map((diagnosis) => {
    const todo = diagnosis.todo ?? Object.entries(checks).find(([code]) => code === diagnosis.code)?.[1].todo
    if (diagnosis.verdict !== 'wrong' || !todo?.includes('redis-cli ')) return diagnosis
    return { ...diagnosis, todo: [todo.replaceAll('redis-cli ', () => `${command} `), ...notes(examined)].join(' ') }
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
  const file = (name: 'ca' | 'cert'): string => {
    const value = tls[name] ?? ''
    return isPem(value) ? `${name}.pem` : resolve(baseDir, value)
  }
  return [
    ...(tls.ca === undefined ? [] : ['--cacert', file('ca')]),
    ...(tls.cert === undefined ? [] : ['--cert', file('cert'), '--key', 'key.pem']),
    ...(tls.serverName === undefined ? [] : ['--sni', tls.serverName]),
  ]
}

/** PEM text, rather than the path of a file. */
const isPem = (value: string): boolean => value.includes('-----BEGIN')

/** What the command line leaves out: even the path of the key is a secret. */
function notes({ settings: { tls }, way }: Examined): string[] {
  const options = typeof tls === 'object' ? tls : {}
  const copied = (['ca', 'cert', 'key'] as const).filter(
    (name) => name in options && (name === 'key' || isPem(options[name] ?? '')),
  )
  return compact(
    ...copied.map((name) => `Copy sink.tls.${name} to ${name}.pem first.`),
    way.hasPassword && 'redis-cli takes the password from REDISCLI_AUTH in its environment.',
  )
}
