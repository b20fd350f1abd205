/**
 * The receipts of a file of tasks: in a file beside it, one JSON object per line. If a slot and shard have several, the
 * last one counts.
 */
import { appendFile, open, readFile } from 'node:fs/promises'
import { ConfigurationError, TransientError, toError } from '../../errors/index.js'
import { ifThere } from '../../files/folders.js'
import { checkFile, hintShared, RefusedFile } from '../../files/rules.js'
import type { Receipt, Sink } from '../../plugin.js'
import { byTime } from '../../tasks/slot.js'

/** Throws ConfigurationError if there is anything but a regular file of this user's: a pipe would never end. */
export async function receiptsBeside(path: string): Promise<Required<Pick<Sink, 'receipt' | 'receipts'>>> {
  const file = `${path}.receipts`
  await mustBeOwn(file)
  return {
    async receipt(_, receipt) {
      await mustBeOwn(file)
      const line = `${JSON.stringify({ ...receipt, firstEntry: null, lastEntry: null })}\n`
      // It mustn't continue a partial line that a crash or a full disk left.
      try {
        const text = (await endsInLine(file)) ? line : `\n${line}`
        await appendFile(file, text, { flush: true })
      } catch (error) {
        throw new TransientError(`The receipts ${file} can't be written: ${toError(error).message}.`, {
          hint: 'All tasks of the slot are in the file beside it. Make room; `owm flush` writes the receipt.',
          cause: error,
        })
      }
    },
    async receipts(pipeline, slot) {
      await mustBeOwn(file)
      return newest(await receiptsIn(file), pipeline, slot)
    },
  }
}

async function mustBeOwn(file: string): Promise<void> {
  await checkFile(file, undefined, hintShared).catch((error: unknown) => {
    if (!(error instanceof RefusedFile)) throw error
    throw new ConfigurationError(`The receipts of the sink can't be kept in ${file}: ${error.message}.`, {
      hint: error.hint('Name another file in sink.path.'),
      cause: error,
    })
  })
}

function newest(all: readonly Receipt[], pipeline: string, slot: string | undefined): Receipt[] {
  const byShard = new Map<string, Receipt>()
  for (const receipt of all)
    if (receipt.pipeline === pipeline && (slot === undefined || receipt.slot === slot))
      byShard.set(`${receipt.slot} ${receipt.shard}/${receipt.shards}`, receipt)
  return [...byShard.values()].toSorted((a, b) => byTime(b.slot, a.slot))
}

/** Whether a file's last line is whole, or the file is empty or missing. */
async function endsInLine(file: string): Promise<boolean> {
  const handle = await ifThere(open(file))
  if (!handle) return true
  try {
    const { size } = await handle.stat()
    if (size === 0) return true
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
    return buffer[0] === 10
  } finally {
    await handle.close()
  }
}

async function receiptsIn(file: string): Promise<Receipt[]> {
  const text = (await ifThere(readFile(file, 'utf8'))) ?? ''
  return text.split('\n').flatMap((line) => {
    try {
      const receipt: Receipt = JSON.parse(line)
      return [receipt]
    } catch {
      return [] // after the last line, or a partial line that a crash or a full disk left
    }
  })
}
