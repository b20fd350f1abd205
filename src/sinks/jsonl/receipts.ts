/**
 * The receipts of a file of tasks: in a file beside it, a JSON object a line. Of a slot and shard that has several, the
 * last one counts.
 */
import { appendFile, readFile } from 'node:fs/promises'
import { ConfigurationError, codeOf } from '../../errors/index.js'
import { checkFile, RefusedFile } from '../../files/rules.js'
import type { Receipt, Sink } from '../../plugin.js'
import { byTime } from '../../tasks/slot.js'

/** Throws ConfigurationError where there is anything but a regular file of this user's: a pipe would never end. */
export async function receiptsBeside(path: string): Promise<Required<Pick<Sink, 'receipt' | 'receipts'>>> {
  const file = `${path}.receipts`
  await mustBeOwn(file)
  return {
    async receipt(_, receipt) {
      await mustBeOwn(file)
      const text = `${JSON.stringify({ ...receipt, firstEntry: null, lastEntry: null })}\n`
      await appendFile(file, text, { flush: true })
    },
    async receipts(pipeline, slot) {
      await mustBeOwn(file)
      return newest(await receiptsIn(file), pipeline, slot)
    },
  }
}

async function mustBeOwn(file: string): Promise<void> {
  await checkFile(file).catch((error: unknown) => {
    if (!(error instanceof RefusedFile)) throw error
    throw new ConfigurationError(`The receipts of the sink can't be kept in ${file}: ${error.message}.`, {
      hint: error.hint('Or name another file in sink.path.'),
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

async function receiptsIn(file: string): Promise<Receipt[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  })
  return text.split('\n').flatMap((line) => {
    try {
      const receipt: Receipt = JSON.parse(line)
      return [receipt]
    } catch {
      return [] // the last line, or what a crash left of one
    }
  })
}
