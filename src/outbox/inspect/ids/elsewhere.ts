/** Which sinks took a task, as far as the outbox has noted it. */
import type { EntityManager } from 'typeorm'
import { shownAddress } from '../../chain/sinks.js'
import { type RunRow, sinkRows, states } from '../../sqlite/entities.js'

/** Where a task went that the sink at `address` never had; empty where it had it, or that isn't known. */
export type Elsewhere = (task: { run: Pick<RunRow, 'sinks'>; seq: number }, address: string) => string[]

/** A sink took the runs that it has as a whole, and all from where its last turn began to where that ended. */
export async function elsewhereIn(manager: EntityManager): Promise<Elsewhere> {
  const [state] = await manager.find(states, { select: { id: true, sink: true, ackedSeq: true } })
  const known = await manager.find(sinkRows)
  return ({ run: { sinks }, seq }, address) => {
    const takers = known.filter(({ id, fromSeq, ackedSeq }) => {
      const end = id === state?.sink ? state.ackedSeq : ackedSeq
      return sinks?.includes(id) || (fromSeq < seq && seq <= end)
    })
    return takers.some(({ addresses }) => addresses.includes(address)) ? [] : takers.map(shownAddress)
  }
}
