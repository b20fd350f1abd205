/**
 * Notifies others of how a start ended: pings a check (healthchecks.io and the like) and calls the hooks of its events.
 * This happens after the run, and never changes its outcome.
 */
import { spawn } from 'node:child_process'
import { type EndedAfter, hookVariable } from './ended.js'
import { post } from './post.js'
import type { Hook, NotifyEvent } from './settings.js'

/** What hooks get: the event's name and everything known about the start. */
export type Told = { readonly event: NotifyEvent } & Omit<EndedAfter, 'before' | 'record' | 'endedAt'> & {
    /** ISO 8601. */
    readonly at: string
  }

/** Longest body of a ping, in characters: checks keep no more. */
const maxBody = 10_000

/** The events of a start, the gravest first. */
export function eventsOf({ exitCode, before, missed, lost, fewer, vitals }: EndedAfter): NotifyEvent[] {
  const occurred: Readonly<Record<NotifyEvent, boolean>> = {
    failure: exitCode !== 0,
    lost: lost > 0,
    dead: (vitals?.died ?? 0) > 0,
    missed: missed > 0,
    shrunk: fewer > 0,
    recovered: exitCode === 0 && before !== undefined && before.exitCode !== 0,
  }
  const events: readonly NotifyEvent[] = ['failure', 'lost', 'dead', 'missed', 'shrunk', 'recovered']
  return events.filter((event) => occurred[event])
}

export function told(event: NotifyEvent, { before: _, record: __, endedAt, ...ended }: EndedAfter): Told {
  return { event, at: new Date(endedAt).toISOString(), ...ended }
}

/**
 * Pings a check.
 * @param what `start` when it begins, or its exit code
 * @param rid a UUID, the same for both pings of a start
 */
export async function ping(
  address: string,
  what: 'start' | number,
  { rid, body, signal }: { rid: string; body: string; signal: AbortSignal },
): Promise<void> {
  const url = new URL(address)
  const below = what === 0 ? '' : `/${what}`
  url.pathname = `${url.pathname.replace(/\/$/, '')}${below}`
  url.searchParams.set('rid', rid)
  await post(url.href, { body: body.slice(0, maxBody), type: 'text/plain; charset=utf-8', signal })
}

/** Sends an event to a hook. Throws if the hook can't be reached, or fails. */
export async function tell(
  hook: Hook,
  event: Told,
  { cwd, env, signal }: { cwd: string; env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<void> {
  const body = JSON.stringify(event)
  if (hook.url !== undefined) await post(hook.url, { body, type: 'application/json', signal })
  if (hook.command !== undefined) await run(hook.command, body, { cwd, env: { ...env, ...variablesOf(event) }, signal })
}

/** For commands that don't read JSON. Not `OWM_SLOT` and the like, which an owm started by them would obey. */
function variablesOf({ event, pipeline, shard, slot, runId, exitCode, summary }: Told): Record<string, string> {
  return {
    [hookVariable]: event,
    OWM_EVENT_PIPELINE: pipeline,
    OWM_EVENT_SHARD: shard,
    OWM_EVENT_SLOT: slot ?? '',
    OWM_EVENT_RUN_ID: runId ?? '',
    OWM_EVENT_EXIT_CODE: String(exitCode),
    OWM_EVENT_SUMMARY: summary,
  }
}

/** How much of a command's standard error a warning quotes, in characters. */
const maxQuoted = 300

function run(
  [program = '', ...args]: readonly string[],
  input: string,
  { signal, ...where }: { cwd: string; env: Record<string, string | undefined>; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    // In a process group of its own, so that it can be killed with its children, and Ctrl-C doesn't reach it.
    const child = spawn(program, args, { ...where, stdio: ['pipe', 'ignore', 'pipe'], detached: true })
    let errorText = ''
    const stop = (): void => {
      killGroup(child.pid)
      reject(new Error('it took too long'))
    }
    signal.addEventListener('abort', stop, { once: true })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errorText = `${errorText}${text}`.slice(-maxQuoted)
    })
    child.stdin.on('error', () => undefined) // it may exit without reading
    child.stdin.end(input)
    child.once('error', reject)
    // A background process that it left may keep the pipe open.
    child.once('exit', () => setTimeout(() => child.stderr.destroy(), 200).unref())
    child.once('close', (code, killed) => {
      signal.removeEventListener('abort', stop)
      if (code === 0) resolve()
      else reject(new Error(`it ended with ${code ?? killed}${errorText.trim() === '' ? '' : `: ${errorText.trim()}`}`))
    })
  })
}

/** Kills a process and its group. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has already exited.
  }
}
