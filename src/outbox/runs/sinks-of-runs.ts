/** Which sinks have all of a run's tasks, and so all of a slot. */
import { type EntityManager, In, MoreThan } from 'typeorm'
import { batches, type RunRow, runs } from '../sqlite/entities.js'

/** Notes that a sink has these runs, but for those of which tasks went to another one: they lie before its first. */
export async function noteSink(
  manager: EntityManager,
  runIds: readonly string[],
  { id: sink, fromSeq }: { id: number; fromSeq: number },
): Promise<void> {
  for (const run of await manager.find(runs, { where: { runId: In([...runIds]), state: 'read' } })) {
    const there = await manager.sum(batches, 'count', { run: run.id, firstSeq: MoreThan(fromSeq) })
    const isWhole = (there ?? 0) >= run.persisted
    const sinks = JSON.stringify([...new Set([...sinksIn(run), ...(isWhole ? [sink] : [])])])
    await manager.update(runs, { id: run.id }, { sinks })
  }
}

/** The sinks that have all of a slot with these runs; undefined where it isn't served yet, or that isn't known. */
export function sinksOf(ofSlot: readonly RunRow[]): number[] | undefined {
  const own = ofSlot.filter(({ persisted }) => persisted > 0)
  if (own.length === 0 || own.some(({ state, sinks }) => state !== 'done' || sinks === null)) return undefined
  // A run that reads the slot again stands for all before it, and they still stand for themselves.
  const readings: RunRow[][] = [[]]
  for (const run of own) {
    if (run.again === 1) readings.push([])
    readings.at(-1)?.push(run)
  }
  return readings.flatMap(([first, ...others]) =>
    first ? sinksIn(first).filter((id) => others.every((run) => sinksIn(run).includes(id))) : [],
  )
}

function sinksIn({ sinks }: RunRow): number[] {
  const ids: unknown = JSON.parse(sinks ?? '[]')
  return Array.isArray(ids) ? ids.map(Number) : []
}
