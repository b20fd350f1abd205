/** Standard output and standard error: no secret is written there, and that one can't be written ends no run. */
import util from 'node:util'
import { isSecretName, Secrets, secretsInUrl } from '../config/redact.js'

/** The secrets of this process. */
export const secrets = new Secrets()

/** To be called before anything is written. */
export function prepareOutput(args: readonly string[], env: Readonly<Record<string, string | undefined>>): void {
  hideArguments(args)
  secrets.add(...secretsInUrl(env['OWM_REDIS_URL'] ?? ''))
  // Whoever reads may leave early, and a disk may be full: what was done stays done.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  redactStandardError()
  redactDebugLogs()
}

/** `--set sink.url=redis://:password@host`, `--set source.token=…` */
function hideArguments(args: readonly string[]): void {
  for (const [index, arg] of args.entries()) {
    const assignment = arg === '--set' ? args[index + 1] : /^--set=(.*)$/s.exec(arg)?.[1]
    const [, path = '', value = ''] = /^([^=]*)=(.*)$/s.exec(assignment ?? '') ?? []
    secrets.add(...secretsInUrl(value), ...secretsInUrl(assignment ?? ''))
    if (isSecretName(path)) secrets.add(value)
  }
}

/** With DEBUG=* oclif logs the arguments there, and ioredis its AUTH. */
function redactStandardError(): void {
  const { stderr } = process
  const write = stderr.write.bind(stderr)
  const redacted = (chunk: string | Uint8Array, ...rest: []): boolean =>
    write(typeof chunk === 'string' ? secrets.redact(chunk) : chunk, ...rest)
  Object.assign(stderr, { write: redacted })
}

/** What NODE_DEBUG asks for goes past process.stderr: undici, for one, logs each URL with its query. */
function redactDebugLogs(): void {
  const original = util.debuglog
  const debuglog = (section: string): util.DebugLogger => {
    const log = original(section)
    const redacted = (...args: [string, ...unknown[]]): void => {
      if (log.enabled) log('%s', secrets.redact(util.format(...args)))
    }
    return Object.assign(redacted, { enabled: log.enabled })
  }
  Object.assign(util, { debuglog, debug: debuglog })
}
