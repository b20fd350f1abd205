/** Standard output and standard error: secrets are masked, a failed write ends no run. Colours. */
import { fstatSync, writeFileSync } from 'node:fs'
import util from 'node:util'
import { isSecretName, Secrets, secretsInUrl } from '../config/redact.js'
import { codeOf, OutboxError, toError } from '../errors/index.js'
import { isOutputClosed } from '../files/rules.js'

/** The secrets of this process. */
export const secrets = new Secrets()

/** Call it before anything is written. */
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

/** Waits until standard output is written; why some of it was lost. A reader that closed the pipe is no loss. */
export async function lossOfOutput(): Promise<Error | undefined> {
  await new Promise((written) => process.stdout.write('', written))
  return lost
}

/** Throws OutboxError if standard output is closed: for commands whose output is the point. */
export async function mustGoSomewhere(): Promise<void> {
  if (!(await isOutputClosed())) return
  throw new OutboxError('Standard output is closed: nothing can be printed there.', {
    hint: 'Start owm with a standard output, or name a file: --out FILE.',
  })
}

/** NO_COLOR wins over FORCE_COLOR; without either, a terminal that can show colours gets them. */
export function hasColors(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env
  if (NO_COLOR) return false
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR)
  return stream.isTTY === true && stream.hasColors()
}

/** What is coloured at the beginning of a line: an error, a verdict, a slot's state. */
const highlights: readonly (readonly [RegExp, 'red' | 'yellow' | 'green'])[] = [
  [/^owm: warning:|^(?:note|warn|missed:)(?= )/, 'yellow'],
  [/^owm:|^wrong(?= )/, 'red'],
  [/^(?:fine|ok)(?= )/, 'green'],
  [/(?<=^\d{4}-\d\d-\d\dT\S+Z {2}(?:[\da-f]{8} {2})?)(?:failed|interrupted|lost|missed:|different)(?= )/, 'red'],
]

/** Adds colours. Call it last: `harmless` replaces escape sequences. */
export function painted(line: string): string {
  const [form, colour] = highlights.find(([form]) => form.test(line)) ?? []
  return form && colour ? line.replace(form, (match) => inColour(colour, match)) : line
}

function inColour(colour: 'red' | 'yellow' | 'green', text: string): string {
  const [on = 39, off = 39] = util.inspect.colors[colour] ?? []
  return `\u001b[${on}m${text}\u001b[${off}m`
}

type Chunk = string | Uint8Array
type Written = (error?: Error | null) => void

/**
 * Makes failed writes harmless: a reader may close the pipe, a disk may be full.
 * @param onLost called with an error of the disk, unless the writer gave a callback
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
      // On a full disk, a file's stream reports success after a partial write.
      writeFileSync(stream.fd, clean(chunk))
      written?.()
    } catch (error) {
      const report = written ?? onLost
      report?.(toError(error))
    }
    return true
  }
  // oclif's listener would throw the error.
  const silent = (event: string, ...rest: unknown[]): boolean => {
    if (event !== 'error') return emit(event, ...rest)
    if (codeOf(rest[0]) !== 'EPIPE') onLost?.(toError(rest[0]))
    return true
  }
  Object.assign(stream, { write: guarded, emit: silent })
}

/** Masks secrets in `--set sink.url=redis://:password@host`, `--set source.token=…` and any URL among the arguments. */
function hideArguments(args: readonly string[]): void {
  for (const [index, arg] of args.entries()) {
    const assignment = arg === '--set' ? args[index + 1] : /^--set=(.*)$/s.exec(arg)?.[1]
    const [, path = '', value = ''] = /^([^=]*)=(.*)$/s.exec(assignment ?? '') ?? []
    const url = arg.replace(/^--[\w-]+=/, '')
    secrets.add(...secretsInUrl(value), ...secretsInUrl(assignment ?? ''), ...secretsInUrl(url))
    if (isSecretName(path)) secrets.add(value)
  }
}

/** NODE_DEBUG logs bypass process.stderr: undici, for one, logs each URL with its query. */
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
