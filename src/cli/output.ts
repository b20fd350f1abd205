/**
 * Standard output and standard error: no secret is written there, and that one can't be written ends no run. Colours.
 */
import { fstatSync, writeFileSync } from 'node:fs'
import util from 'node:util'
import { isSecretName, Secrets, secretsInUrl } from '../config/redact.js'
import { codeOf, OutboxError, toError } from '../errors/index.js'

/** The secrets of this process. */
export const secrets = new Secrets()

/** To be called before anything is written. */
export function prepareOutput(args: readonly string[], env: Readonly<Record<string, string | undefined>>): void {
  hideArguments(args)
  secrets.add(...secretsInUrl(env['OWM_REDIS_URL'] ?? ''))
  guard(
    process.stdout,
    (chunk) => chunk,
    (error) => {
      lost ??= error
    },
  )
  // With DEBUG=* oclif logs the arguments there, and ioredis its AUTH.
  guard(process.stderr, (chunk) => (typeof chunk === 'string' ? secrets.redact(chunk) : chunk))
  redactDebugLogs()
}

let lost: Error | undefined

/** Why some of standard output was lost, once all of it is written; undefined also where its reader has left. */
export async function lossOfOutput(): Promise<Error | undefined> {
  await new Promise((written) => process.stdout.write('', written))
  return lost
}

/** For a command that is asked to print what it makes: throws OutboxError where standard output is closed. */
export async function mustGoSomewhere(): Promise<void> {
  const { isOutputClosed } = await import('../files/rules.js')
  if (!(await isOutputClosed())) return
  throw new OutboxError('Standard output is closed: nothing can be printed there.', {
    hint: 'Start owm with a standard output, or name a file: --out FILE.',
  })
}

/** Whether a stream shows colours: a terminal that can, unless NO_COLOR says no; or any, where FORCE_COLOR says so. */
export function hasColors(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env
  if (NO_COLOR) return false
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR)
  return stream.isTTY === true && stream.hasColors()
}

/** What stands at the beginning of a line: an error, a verdict, a slot's state. */
const signals: readonly (readonly [RegExp, 'red' | 'yellow' | 'green'])[] = [
  [/^owm: warning:|^(?:note|warn|missed:)(?= )/, 'yellow'],
  [/^owm:|^wrong(?= )/, 'red'],
  [/^(?:fine|ok)(?= )/, 'green'],
  [/(?<=^\d{4}-\d\d-\d\dT\S+Z {2}(?:[\da-f]{8} {2})?)(?:failed|interrupted|lost|missed:|different)(?= )/, 'red'],
]

/** A line with colours. To be called last: a colour is an escape sequence, and those in a text are taken away. */
export function painted(line: string): string {
  const [form, colour] = signals.find(([form]) => form.test(line)) ?? []
  return form && colour ? line.replace(form, (found) => inColour(colour, found)) : line
}

function inColour(colour: 'red' | 'yellow' | 'green', text: string): string {
  const [on = 39, off = 39] = util.inspect.colors[colour] ?? []
  return `\u001b[${on}m${text}\u001b[${off}m`
}

type Chunk = string | Uint8Array
type Written = (error?: Error | null) => void

/**
 * Whoever reads may leave early, and a disk may be full: what was done stays done.
 * @param onLost told of a disk, unless whoever wrote asks for it
 */
function guard(
  stream: NodeJS.WriteStream & { fd: number },
  clean: (chunk: Chunk) => Chunk,
  onLost?: (error: Error) => void,
): void {
  const [write, emit] = [stream.write.bind(stream), stream.emit.bind(stream)]
  const about = fstatSync(stream.fd)
  const isFile = about.isFile() || (about.isCharacterDevice() && !stream.isTTY)
  const guarded = (chunk: Chunk, ...rest: [encoding?: BufferEncoding | Written, written?: Written]): boolean => {
    const written = rest.find((argument) => typeof argument === 'function')
    try {
      if (!isFile) return write(clean(chunk), written)
      // A file's stream is content with the part that there is room for.
      writeFileSync(stream.fd, clean(chunk))
      written?.()
    } catch (error) {
      const told = written ?? onLost
      told?.(toError(error))
    }
    return true
  }
  // oclif's listener to such errors would throw them.
  const silent = (event: string, ...rest: unknown[]): boolean => {
    if (event !== 'error') return emit(event, ...rest)
    if (codeOf(rest[0]) !== 'EPIPE') onLost?.(toError(rest[0]))
    return true
  }
  Object.assign(stream, { write: guarded, emit: silent })
}

/** `--set sink.url=redis://:password@host`, `--set source.token=…`, and a URL in a place where none belongs. */
function hideArguments(args: readonly string[]): void {
  for (const [index, arg] of args.entries()) {
    const assignment = arg === '--set' ? args[index + 1] : /^--set=(.*)$/s.exec(arg)?.[1]
    const [, path = '', value = ''] = /^([^=]*)=(.*)$/s.exec(assignment ?? '') ?? []
    const url = arg.replace(/^--[\w-]+=/, '')
    secrets.add(...secretsInUrl(value), ...secretsInUrl(assignment ?? ''), ...secretsInUrl(url))
    if (isSecretName(path)) secrets.add(value)
  }
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
