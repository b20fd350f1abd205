/** Which sinks have all tasks of a run, and of a slot. */
import { type EntityManager, In, MoreThan } from 'typeorm'
import { compact } from '../../lists.js'
import { shardNameIn } from '../../tasks/shard.js'
import { batches, type RunRow, runs } from '../sqlite/entities.js'

/** Notes that a sink has these runs, except those with tasks before its first one: they went to another sink. */
export async function noteSink(
  manager: EntityManager,
  runIds: readonly string[],
  { id: sink, fromSeq }: { id: number; fromSeq: number },
): Promise<void> {
  for (const run of await manager.find(runs, { where: { runId: In([...runIds]), state: 'read' } })) {
    const there = await manager.sum(batches, 'count', { run: run.id, firstSeq: MoreThan(fromSeq) })
    const isWhole = (there ?? 0) >= run.persisted
    const sinks = [...new Set(compact(...sinksIn(run), isWhole && sink))]
    await manager.update(runs, { id: run.id }, { sinks })
  }
}

/**
 * The sinks that have all tasks of a slot's shard, or of the whole slot if it was served in other shards. Undefined if
 * it isn't served yet, or that isn't known.
 */
export function sinksOf(ofSlot: readonly RunRow[], shard: string): number[] | undefined {
  const ofShard = (own: string): RunRow[] =>
    ofSlot.filter((run) => run.persisted > 0 && shardNameIn(run.sourceDigest) === own)
  const readings = shardsServing(ofSlot, shard).map((own) => readingsIn(ofShard(own)))
  const current = readings.flatMap((all) => all.at(-1) ?? [])
  if (current.length === 0 || current.some(({ state, sinks }) => state !== 'done' || sinks === null)) return undefined
  return inAll(readings.map((all) => all.flatMap((runs) => inAll(runs.map(sinksIn)))))
}

/** This shard, if a slot was served in it; or else those in which it was. */
export function shardsServing(ofSlot: readonly RunRow[], shard: string): string[] {
  const served = new Set(
    ofSlot.filter(({ persisted }) => persisted > 0).map(({ sourceDigest }) => shardNameIn(sourceDigest)),
  )
  return served.has(shard) ? [shard] : [...served]
}

/** A run with `again` begins a new reading of the shard. A sink that has any reading as a whole has the shard. */
function readingsIn(runs: readonly RunRow[]): RunRow[][] {
  const readings: RunRow[][] = []
  for (const run of runs) {
    if (run.again === 1 || readings.length === 0) readings.push([])
    readings.at(-1)?.push(run)
  }
  return readings
}

const inAll = ([first = [], ...others]: readonly number[][]): number[] =>
  first.filter((id) => others.every((ids) => ids.includes(id)))

/** No sink has a run that was lost. */
const sinksIn = ({ state, sinks }: RunRow): number[] => (state === 'lost' ? [] : (sinks ?? []))
