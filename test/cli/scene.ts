/** What the tests of the commands share: configurations, the shapes of `--json`, looks into folders. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { owmJson, root, startOwm, until } from '../support/cli.js'

export const slot = '2026-11-23T10:00:00Z'
export const here = { city: 'Here', latitude: 1, longitude: 2 }
export const nowhere = { city: 'Nowhere', latitude: 91, longitude: 2 }
export const list = (...locations: object[]): object => ({ use: 'static-list', locations })
export const jsonl = { use: 'jsonl', path: 'tasks.jsonl' }
export const outbox = { path: 'o.db' }
/** Nobody listens on port 1. */
export const deadSink = { use: 'redis-stream', url: 'redis://127.0.0.1:1' }
export const retry = { attempts: 1 }

export const base = { source: { use: 'simulated-db', count: 20 }, sink: jsonl, outbox, retry }

export interface Counts {
  source: { name: string | null; read: number; rejected: number; duplicates: number }
  outbox: { path: string | null; persisted: number; pending: number; dead: number }
  sink: { name: string | null; delivered: number; deduplicated: number }
  error?: { code: string; message: string; hint: string }
}

export const textOrNull = expect.toBeOneOf([null, expect.any(String)])
export const number = expect.any(Number)
export const sinkShape = { name: textOrNull, delivered: number, deduplicated: number }
export const shapes = {
  produce: {
    runId: textOrNull,
    slot: textOrNull,
    source: { name: textOrNull, read: number, rejected: number, duplicates: number },
    outbox: { path: textOrNull, persisted: number, pending: number, dead: number },
    sink: sinkShape,
    durationMs: number,
  },
  flush: { outbox: { path: textOrNull, pending: number, dead: number }, sink: sinkShape, durationMs: number },
  'outbox inspect': {
    path: textOrNull,
    totals: { pending: number, dead: number, rejected: number },
    oldestPendingAt: textOrNull,
    runs: expect.any(Array),
    tasks: expect.any(Array),
  },
}

/** The tasks that the jsonl sink has written. */
export async function tasksIn(folder: string): Promise<{ task_id: string; city: string; location_id?: number }[]> {
  const lines = (await readFile(join(folder, 'tasks.jsonl'), 'utf8')).split('\n').slice(0, -1)
  return lines.map((line): { task_id: string; city: string; location_id?: number } => JSON.parse(line))
}

/** Every file below a folder with its time and content. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mtimeNs } = await stat(path, { bigint: true })
    seen[path] = `${mtimeNs} ${
      entry.isFile()
        ? createHash('sha256')
            .update(await readFile(path))
            .digest('hex')
        : ''
    }`
  }
  return seen
}

/** Until a process is stopped by SIGSTOP. */
export async function untilStopped(pid: number | undefined): Promise<void> {
  await until(async () => (await promisify(execFile)('ps', ['-o', 'stat=', '-p', `${pid}`])).stdout.startsWith('T'))
}

/** Starts owm so that SIGSTOP holds it at a step of its work. */
export function startAndStopAt(step: string, args: string[], cwd: string): ReturnType<typeof startOwm> {
  return startOwm(args, {
    cwd,
    node: ['--import', join(root, 'test', 'support', 'crash.mjs')],
    env: { OWM_CRASH_AT: step, OWM_CRASH_SIGNAL: 'SIGSTOP' },
  })
}

export const pendingIn = async (cwd: string): Promise<number> => {
  const { json } = await owmJson<{ totals: { pending: number } }>(['outbox', 'inspect'], { cwd })
  return json.totals.pending
}
