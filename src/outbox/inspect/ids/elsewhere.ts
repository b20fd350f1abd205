/** Which other sinks took a task, as far as the outbox knows. */
import type { EntityManager } from 'typeorm'
import { shownAddress } from '../../chain/sinks.js'
import { type RunRow, sinkRows } from '../../sqlite/entities.js'
import { stateIn } from '../../state.js'

/** Addresses of the sinks that took a task if the one at `address` didn't; empty if it did, or that isn't known. */
export type Elsewhere = (task: { run: Pick<RunRow, 'sinks'>; seq: number }, address: string) => string[]

/** A sink took the runs noted as complete there, and all tasks from the beginning of its last turn to its end. */
export async function elsewhereIn(manager: EntityManager): Promise<Elsewhere> {
  const state = await stateIn(manager, 'sink', 'ackedSeq')
  const known = await manager.find(sinkRows)
  return ({ run: { sinks }, seq }, address) => {
    const takers = known.filter(({ id, fromSeq, ackedSeq }) => {
      const end = id === state?.sink ? state.ackedSeq : ackedSeq
      return sinks?.includes(id) || (fromSeq < seq && seq <= end)
    })
    return takers.some(({ addresses }) => addresses.includes(address)) ? [] : takers.map(shownAddress)
  }
}
