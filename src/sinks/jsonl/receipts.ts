/**
 * The receipts of a file of tasks: in a file beside it, a JSON object a line. Of a slot and shard that has several, the
 * last one counts.
 */
import { appendFile, readFile } from 'node:fs/promises'
import { codeOf } from '../../errors/index.js'
import type { Receipt, Sink } from '../../plugin.js'

export function receiptsBeside(path: string): Required<Pick<Sink, 'receipt' | 'receipts'>> {
  const file = `${path}.receipts`
  return {
    async receipt(_, receipt) {
      const text = `${JSON.stringify({ ...receipt, firstEntry: null, lastEntry: null })}\n`
      await appendFile(file, text, { flush: true })
    },
    receipts: async (pipeline, slot) => newest(await receiptsIn(file), pipeline, slot),
  }
}

function newest(all: readonly Receipt[], pipeline: string, slot: string | undefined): Receipt[] {
  const byShard = new Map<string, Receipt>()
  for (const receipt of all)
    if (receipt.pipeline === pipeline && (slot === undefined || receipt.slot === slot))
      byShard.set(`${receipt.slot} ${receipt.shard}/${receipt.shards}`, receipt)
  return [...byShard.values()].toSorted((a, b) => Date.parse(b.slot) - Date.parse(a.slot))
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
