/** One task per line, in a file or on standard output. */
import { resolve } from 'node:path'
import * as z from 'zod'
import { ConfigurationError, codeOf, TransientError } from '../../errors/index.js'
import { statIfThere } from '../../files/folders.js'
import { checkStreams, isOutputClosed } from '../../files/rules.js'
import { defineSink, type Outcome, type Sink, type TaskBatch } from '../../plugin.js'
import { Utf8 } from '../../tasks/bytes.js'
import { checks, examined } from './doctor.js'
import { entriesIn } from './entries.js'
import { cannot, TaskFile } from './file.js'
import { receiptsBeside } from './receipts.js'

const options = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe('the file to append to, or - for standard output')
    .meta({ examples: ['./tasks.jsonl'] }),
})

export default defineSink({
  name: 'jsonl',
  description: 'one task a line in a file (synced to the disk before it counts) or on standard output, at least once',
  options,
  checks,
  address: ({ path }, baseDir) => (path === '-' ? 'standard output' : resolve(baseDir, path)),
  usesStandardOutput: ({ path }) => path === '-',
  async open({ path }, { baseDir, signal, readOnly = false }): Promise<Sink> {
    if (readOnly) return readOnlySink(path === '-' ? undefined : resolve(baseDir, path))
    const memory = new Utf8(0)
    if (path === '-') {
      if (await isOutputClosed())
        throw new ConfigurationError('Standard output is closed: nobody would get the tasks.', {
          hint: 'Start owm with a standard output, or set sink.path to a file.',
        })
      return {
        guarantee: 'at-least-once',
        usesStandardOutput: true,
        deliver: (batch) => toStandardOutput(batch, memory),
      }
    }
    const place = resolve(baseDir, path)
    const file = await TaskFile.open(place, signal)
    const reading = file.isRegular
      ? await readingOf(place).catch(async (error: unknown) => {
          await file.close()
          throw error
        })
      : {}
    return {
      guarantee: 'at-least-once',
      address: place,
      async deliver(batch) {
        await file.append(lines(batch, memory))
        return delivered(batch)
      },
      ...reading,
      close: () => file.close(),
    }
  },
})

/** The sink's methods that read a file of tasks. */
const readingOf = async (place: string): Promise<Partial<Sink>> => ({
  ...(await receiptsBeside(place)),
  entries: (first, last) => entriesIn(place, first, last),
})

/** A sink that only reads; standard output and pipes keep nothing to read. */
async function readOnlySink(place: string | undefined): Promise<Sink> {
  if (place !== undefined)
    await checkStreams(place).catch((error: unknown) => {
      throw cannot('opened', place, error)
    })
  const stats = place === undefined ? undefined : await statIfThere(place)
  return {
    guarantee: 'at-least-once',
    async deliver() {
      throw new ConfigurationError('This sink was opened to look at only.')
    },
    doctor: (patient) => examined(place, patient),
    ...(place === undefined ? {} : { address: place, ...(stats && !stats.isFile() ? {} : await readingOf(place)) }),
  }
}

const lineFeed = Buffer.from('\n')

/** The batch, a task per line, in a reused buffer: as strings, each batch would be joined, encoded and collected. */
function lines(batch: TaskBatch, memory: Utf8): Uint8Array {
  const { bytes, starts } = batch
  memory.end = 0
  memory.reserve(bytes.length)
  for (let index = 1; index < starts.length; index++) {
    const [from = 0, next = 0] = [starts[index - 1], starts[index]]
    memory.copy(bytes, from, next - 2)
    memory.put(lineFeed)
  }
  return memory.written()
}

const delivered = (batch: TaskBatch): Outcome[] => new Array<Outcome>(batch.count).fill('delivered')

async function toStandardOutput(batch: TaskBatch, memory: Utf8): Promise<Outcome[]> {
  await new Promise<void>((written, failed) => {
    process.stdout.write(lines(batch, memory), (error) => {
      if (!error) written()
      else
        failed(
          codeOf(error) === 'EPIPE'
            ? new TransientError('The reader of standard output has gone.', {
                hint: 'The tasks wait in the outbox: start owm again with a reader, or set sink.path to a file.',
                retryAfterMs: Number.POSITIVE_INFINITY,
                cause: error,
              })
            : error,
        )
    })
  })
  return delivered(batch)
}
