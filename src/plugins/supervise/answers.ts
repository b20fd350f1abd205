/** Checks plugins' diagnoses, and what sinks say about their contents: a wrong answer is a breach of contract. */
import * as z from 'zod'
import type { Sink, Source } from '../../plugin.js'
import { type Supervisor, valueInWords } from './supervisor.js'

const count = z.int().nonnegative()
const time = z.number()

const entry = z.looseObject({ id: z.string(), taskId: z.string(), at: time.optional() })

const reading = z.looseObject({
  group: z.string(),
  state: z.enum(['waiting', 'held', 'acknowledged']),
  holder: z.looseObject({ consumer: z.string(), idleMs: z.number(), deliveries: count }).optional(),
})

const picture = z.looseObject({
  entries: count,
  bound: count.nullish(),
  whenFull: z.enum(['trim', 'hold']).optional(),
  readersRemove: z.boolean().optional(),
  entriesPerMinute: z.number().nullish(),
  groups: z.array(
    z.looseObject({
      name: z.string(),
      lag: count.nullish(),
      pending: count,
      oldestUnread: z.looseObject({ id: z.string(), at: time }).nullish(),
      consumers: z.array(z.looseObject({ name: z.string(), pending: count, idleMs: z.number() })),
    }),
  ),
})

const receipt = z.looseObject({
  pipeline: z.string(),
  slot: z.string(),
  shard: count,
  shards: count,
  interval: z.looseObject({ from: z.string(), to: z.string() }).nullish(),
  read: count,
  rejected: count,
  duplicates: count,
  delivered: count,
  dead: count,
  discarded: count,
  taskIdSum: z.string(),
  firstEntry: z.string().nullish(),
  lastEntry: z.string().nullish(),
  isGone: z.boolean().optional(),
})

const diagnosis = z.looseObject({
  code: z.string(),
  verdict: z.enum(['fine', 'wrong', 'unknown']),
  found: z.string().min(1),
  todo: z.string().optional(),
})

export function superviseDoctor(supervisor: Supervisor, plugin: Source | Sink): Pick<Source | Sink, 'doctor'> {
  const doctor = supervisor.look('doctor', () => plugin.doctor?.bind(plugin))
  return doctor
    ? {
        doctor: (patient) =>
          checkedAnswer(supervisor, 'doctor', z.array(diagnosis), () => doctor(patient), 'did not end its examination'),
      }
    : {}
}

type Contents = Pick<Sink, 'taskIds' | 'entries' | 'readings' | 'inspect' | 'receipts'>

export function superviseContents(supervisor: Supervisor, sink: Sink): Contents {
  const taskIds = supervisor.look('taskIds', () => sink.taskIds?.bind(sink))
  const entries = supervisor.look('entries', () => sink.entries?.bind(sink))
  const readings = supervisor.look('readings', () => sink.readings?.bind(sink))
  const inspect = supervisor.look('inspect', () => sink.inspect?.bind(sink))
  const receipts = supervisor.look('receipts', () => sink.receipts?.bind(sink))
  const answer = <T>(part: string, shape: z.ZodType, call: () => Promise<T>, what: string): Promise<T> =>
    checkedAnswer(supervisor, part, shape, call, what)
  return {
    ...(taskIds && { taskIds: () => checkedItems(supervisor, 'taskIds', z.string(), () => taskIds()) }),
    ...(entries && { entries: (...ends) => checkedItems(supervisor, 'entries', entry, () => entries(...ends)) }),
    ...(readings && {
      readings: (of) => answer('readings', z.array(reading), () => readings(of), 'did not tell who has read an entry'),
    }),
    ...(inspect && {
      inspect: (isQuick) => answer('inspect', picture, () => inspect(isQuick), 'did not say what it holds'),
    }),
    ...(receipts && {
      receipts: async (pipeline, slot) => {
        const ask = () => receipts(pipeline, slot)
        const given = await answer('receipts', z.array(receipt), ask, 'did not give its receipts')
        const other = given.find((one) => one.pipeline !== pipeline)
        supervisor.must(
          other === undefined,
          `its \`receipts\` gave one of the pipeline ${valueInWords(other?.pipeline)} for ${valueInWords(pipeline)}`,
          'It gives those of the pipeline that it is asked for.',
        )
        return given
      },
    }),
  }
}

async function checkedAnswer<T>(
  supervisor: Supervisor,
  part: string,
  shape: z.ZodType,
  call: () => Promise<T>,
  what: string,
): Promise<T> {
  return checked(supervisor, part, shape, await supervisor.within(supervisor.ask(call), what))
}

async function* checkedItems<T>(
  supervisor: Supervisor,
  part: string,
  shape: z.ZodType,
  open: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  const { signal } = supervisor.terms
  const begin = (): AsyncIterable<T> => {
    try {
      return open()
    } catch (error) {
      throw supervisor.failure(error)
    }
  }
  const next = (ask: () => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> => {
    signal.throwIfAborted()
    return supervisor.within(supervisor.ask(ask), `did not go on with its \`${part}\``)
  }
  for await (const item of supervisor.each(part, begin, next)) yield checked(supervisor, part, shape, item)
}

function checked<T>(supervisor: Supervisor, part: string, shape: z.ZodType, given: T): T {
  const [issue] = shape.safeParse(given).error?.issues ?? []
  if (issue) {
    const where = issue.path.length > 0 ? ` at ${issue.path.map(String).join('.')}` : ''
    supervisor.fail(
      `its \`${part}\` gave something else${where}: ${issue.message}`,
      'docs/plugins.md says what it gives.',
    )
  }
  return given
}
