/**
 * Runs the built owm as users do: a process of its own, in a folder of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export const root = join(import.meta.dirname, '..', '..')
export const bin = join(root, 'bin', 'run.js')

export interface Ran {
  /** The exit code, or null where a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  cwd?: string
  /** Added to a small, fixed environment without any OWM_ variable. */
  env?: Record<string, string>
  /** Another owm than the built one: its `bin/run.js`. */
  script?: string
  /** Arguments to node itself, before the script. */
  node?: string[]
  /** Milliseconds after which the process is killed. */
  timeout?: number
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
}

/** A new, empty folder that goes when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Starts owm; it is killed if it outlives its time. */
export function startOwm(args: readonly string[], options: RunOptions = {}): Running {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [...(options.node ?? []), options.script ?? bin, ...args], {
    cwd: options.cwd,
    env: { PATH, HOME, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeout ?? 50_000,
    killSignal: 'SIGKILL',
  })
  const out: string[] = []
  const err: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text))
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout: out.join(''), stderr: err.join('') }))
  })
  return { child, ended }
}

/** Runs owm to its end. */
export function owm(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return startOwm(args, options).ended
}

/** Runs owm with `--json` and gives what it printed, which must be JSON and nothing else. */
export async function owmJson<T>(args: readonly string[], options: RunOptions = {}): Promise<Ran & { json: T }> {
  const ran = await owm([...args, '--json'], options)
  try {
    return { ...ran, json: JSON.parse(ran.stdout) }
  } catch (error) {
    throw new Error(`owm ${args.join(' ')} printed no JSON (exit ${ran.code}):\n${ran.stdout}\n${ran.stderr}`, {
      cause: error,
    })
  }
}

/** A folder with this configuration in its .owmrc.json. */
export async function folderWith(config: unknown): Promise<string> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, '.owmrc.json'), JSON.stringify(config))
  return folder
}

/** Resolves once `condition` gives something; throws when it hasn't after `timeout` milliseconds. */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 30_000,
): Promise<T> {
  for (const deadline = Date.now() + timeout; ; ) {
    const found = await condition()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`the condition was not met within ${timeout} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
