/**
 * Whom a start tells how it ended: a check is pinged, as healthchecks.io and its like expect, and hooks get the events
 * that are for them. All of it after the run: nothing here changes how that ends.
 */
import { spawn } from 'node:child_process'
import { type EndedAfter, hookVariable } from './ended.js'
import { post } from './post.js'
import type { Hook, NotifyEvent } from './settings.js'

/** What hooks get: an event's name, and all that is known of the start. */
export type Told = { readonly event: NotifyEvent } & Omit<EndedAfter, 'before' | 'record' | 'endedAt'> & {
    /** ISO 8601. */
    readonly at: string
  }

/** Longest body of a ping: checks keep no more. */
const maxBody = 10_000

/** Which events a start makes, the gravest first. */
export function eventsOf({ exitCode, before, missed, lost, fewer, vitals }: EndedAfter): NotifyEvent[] {
  const is: Readonly<Record<NotifyEvent, boolean>> = {
    failure: exitCode !== 0,
    lost: lost > 0,
    dead: (vitals?.died ?? 0) > 0,
    missed: missed > 0,
    shrunk: fewer > 0,
    recovered: exitCode === 0 && before !== undefined && before.exitCode !== 0,
  }
  const events: readonly NotifyEvent[] = ['failure', 'lost', 'dead', 'missed', 'shrunk', 'recovered']
  return events.filter((event) => is[event])
}

export function told(event: NotifyEvent, { before: _, record: __, endedAt, ...ended }: EndedAfter): Told {
  return { event, at: new Date(endedAt).toISOString(), ...ended }
}

/**
 * Pings a check.
 * @param what how the start stands: it begins, or ended with this exit code
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

/** Tells a hook of an event. Throws where it isn't reached, or fails. */
export async function tell(
  hook: Hook,
  event: Told,
  { cwd, env, signal }: { cwd: string; env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<void> {
  const body = JSON.stringify(event)
  if (hook.url !== undefined) await post(hook.url, { body, type: 'application/json', signal })
  if (hook.command !== undefined) await run(hook.command, body, { cwd, env: { ...env, ...variablesOf(event) }, signal })
}

/** For commands that read no JSON. Not `OWM_SLOT` and the like, which an owm that they start would take for its own. */
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

/** Characters of what a program said that a warning repeats. */
const maxSaid = 300

function run(
  [program = '', ...args]: readonly string[],
  input: string,
  { signal, ...where }: { cwd: string; env: Record<string, string | undefined>; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    // In a group of its own: it ends with all that it started, and by no key that somebody presses.
    const child = spawn(program, args, { ...where, stdio: ['pipe', 'ignore', 'pipe'], detached: true })
    let said = ''
    const stop = (): void => {
      end(child.pid)
      reject(new Error('it took too long'))
    }
    signal.addEventListener('abort', stop, { once: true })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-maxSaid)
    })
    child.stdin.on('error', () => undefined) // it needn't read it
    child.stdin.end(input)
    child.once('error', reject)
    // What it left behind in the background may keep its output open.
    child.once('exit', () => setTimeout(() => child.stderr.destroy(), 200).unref())
    child.once('close', (code, killed) => {
      signal.removeEventListener('abort', stop)
      if (code === 0) resolve()
      else reject(new Error(`it ended with ${code ?? killed}${said.trim() === '' ? '' : `: ${said.trim()}`}`))
    })
  })
}

/** Ends a process and all of its group. */
function end(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
