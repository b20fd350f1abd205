/**
 * What a start must know of earlier ones: when one last succeeded, and how the last one ended. Kept in a file beside
 * the outbox (`-signals`), since a failing start may be unable to write the outbox or even open it. The ledger knows
 * neither of starts that failed before their run, nor whether one with dead letters exited with 0.
 */
import * as z from 'zod'
import { overwriteFile, readOwnFile, replaceFile } from '../files/replace.js'
import type { Ended } from './ended.js'

const time = z.number().int().min(0)
const recordSchema = z.object({
  /** When the first start was recorded, in milliseconds since 1970. */
  since: time,
  /** When a start last exited with 0, in milliseconds since 1970; null if none has. */
  lastSuccess: time.nullable(),
  /** That of the last start. */
  exitCode: z.number().int(),
})

export type StartRecord = z.output<typeof recordSchema>

/** Undefined if there is none, or it is unusable. */
export async function readRecord(path: string): Promise<StartRecord | undefined> {
  const text = await readOwnFile(path).catch(() => undefined)
  try {
    return recordSchema.safeParse(JSON.parse(text ?? '')).data
  } catch {
    return undefined
  }
}

/** Throws if the file can be neither replaced nor overwritten. */
export async function writeRecord(path: string, record: StartRecord): Promise<void> {
  const text = `${JSON.stringify(record)}\n`
  try {
    await replaceFile(path, text, 0o600)
  } catch (error) {
    // What makes a start fail, such as a full disk or a read-only folder, prevents a new file as well.
    await overwriteFile(path, text).catch(() => {
      throw error
    })
  }
}

/** The record including this start. */
export const recordOf = (before: StartRecord | undefined, { exitCode, endedAt }: Ended): StartRecord => ({
  since: before?.since ?? endedAt,
  lastSuccess: exitCode === 0 ? endedAt : (before?.lastSuccess ?? null),
  exitCode,
})
