/**
 * What the next start must know of the ones before it, in a file beside the outbox (`-signals`): when one last
 * succeeded, and how the last one ended. Not in the outbox, which a start that fails may not be able to write, or even
 * to open; and the ledger knows of no start that failed before its run, nor whether one with dead letters exited 0.
 */
import * as z from 'zod'
import { overwriteFile, readOwnFile, replaceFile } from '../files/replace.js'
import type { Ended } from './ended.js'

const time = z.number().int().min(0)
const recordSchema = z.object({
  /** Milliseconds since 1970: the first start that was noted. */
  since: time,
  /** Milliseconds since 1970: when a start last ended with 0; null where none has. */
  lastSuccess: time.nullable(),
  /** Of the last start. */
  exitCode: z.number().int(),
})

export type StartRecord = z.output<typeof recordSchema>

/** Undefined where there is none, or nothing of use. */
export async function readRecord(path: string): Promise<StartRecord | undefined> {
  const text = await readOwnFile(path).catch(() => undefined)
  try {
    return recordSchema.safeParse(JSON.parse(text ?? '')).data
  } catch {
    return undefined
  }
}

/** Throws where neither a new file nor the one that is there can be written. */
export async function writeRecord(path: string, record: StartRecord): Promise<void> {
  const text = `${JSON.stringify(record)}\n`
  try {
    await replaceFile(path, text, 0o600)
  } catch (error) {
    // What fails a start, a full disk or a folder that is read-only, fails this as well.
    await overwriteFile(path, text).catch(() => {
      throw error
    })
  }
}

/** With this start in it. */
export const recordOf = (before: StartRecord | undefined, { exitCode, endedAt }: Ended): StartRecord => ({
  since: before?.since ?? endedAt,
  lastSuccess: exitCode === 0 ? endedAt : (before?.lastSuccess ?? null),
  exitCode,
})
