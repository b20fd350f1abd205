/** What `owm doctor` checks in a file of tasks. */
import { access, constants, readFile } from 'node:fs/promises'
import { codeOf, toError } from '../../errors/index.js'
import { freeBytesAt, isWithoutInodes } from '../../files/disk.js'
import { checkFile, statsOf } from '../../files/rules.js'
import type { Check, Diagnosis, Patient } from '../../plugin.js'
import { parsedOr } from '../../tasks/json/parse.js'
import { isObject } from '../../tasks/json/tree.js'
import { megabytes, plural } from '../../words.js'
import { verdictsFor } from '../doctor.js'
import { entriesIn } from './entries.js'

export const checks = {
  'jsonl-file': {
    about: 'whether the file can be written, and holds tasks',
    why: "A run stops with 78 rather than write into somebody else's file.",
    todo: 'Name a file of its own in sink.path, or move that one away; then `owm flush`.',
    exitCode: 78,
  },
  'jsonl-space': {
    about: 'free space where the file is',
    why: 'On a full disk the tasks wait in the outbox.',
    todo: 'Make room; then `owm flush`.',
    exitCode: 75,
  },
  'jsonl-receipts': {
    about: 'whether the receipts beside the file can be read and written',
    why: 'Without its receipt nobody can tell that a slot is whole.',
    todo: "Find out who changed the file that ends in .receipts; make it this user's own, or move it away.",
    exitCode: 78,
  },
} as const satisfies Readonly<Record<string, Check>>

/** Typical size of a task, and space for anything else that is written to the disk. */
const usualTaskBytes = 300
const spareBytes = 1_000_000

const { judged } = verdictsFor<keyof typeof checks>()

/** @param place the file; undefined for standard output, which can't be examined */
export async function examined(place: string | undefined, { pending }: Patient): Promise<readonly Diagnosis[]> {
  const stats = place === undefined ? undefined : await statsOf(place).catch(() => undefined)
  if (place === undefined || (stats !== undefined && !stats.isFile() && !stats.isSymbolicLink()))
    return [{ code: 'jsonl-file', verdict: 'unknown', found: 'it is not a regular file' }]
  const free = await freeBytesAt(place)
  const needed = pending * usualTaskBytes + spareBytes
  const space = `${megabytes(free)} free, and ${plural(pending, 'pending task')} take ${megabytes(needed)}`
  const receipts = `${place}.receipts`
  const [fileProblem, receiptsProblem] = [await problemOfTasks(place), await problemOfReceipts(receipts)]
  return [
    judged('jsonl-file', fileProblem !== undefined, fileProblem ?? place),
    (await isWithoutInodes(place))
      ? judged('jsonl-space', true, 'its file system has no inodes left (`df -i`)')
      : judged('jsonl-space', free < needed, free < needed ? `only ${space}` : space),
    judged('jsonl-receipts', receiptsProblem !== undefined, receiptsProblem ?? receipts),
  ]
}

async function problemOfTasks(place: string): Promise<string | undefined> {
  try {
    await access(place, constants.R_OK | constants.W_OK)
    for await (const { id, taskId } of entriesIn(place, 'line 1', 'line 1'))
      if (taskId === '') return `${id} of ${place} is no task of owm's`
    return undefined
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : toError(error).message
  }
}

async function problemOfReceipts(file: string): Promise<string | undefined> {
  try {
    if (!(await checkFile(file))) return undefined
    await access(file, constants.W_OK)
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
    const strange = lines.findIndex((line) => !isReceipt(line))
    return strange < 0 ? undefined : `line ${strange + 1} of ${file} is no receipt`
  } catch (error) {
    return `${file}: ${toError(error).message}`
  }
}

function isReceipt(line: string): boolean {
  const receipt = parsedOr(line, undefined)
  return isObject(receipt) && 'slot' in receipt && 'taskIdSum' in receipt
}
