/** `owm outbox adopt --sink`: another sink takes the place of the one before, and gets what an operator says. */
import type { From } from '../outbox/outbox.js'
import { Contact } from './contact.js'
import type { Deps } from './parts.js'

export interface Adopted {
  /** Where the sink is, as it is configured; without credentials. */
  readonly address: string
  /** Whether it was the outbox's sink already. */
  readonly isPresent: boolean
}

/** Attaches the outbox to its sink. What that gets is pending from here on; nothing is delivered. Throws OwmError. */
export async function adoptSink(deps: Deps, adopt: From): Promise<Adopted> {
  const { outbox } = deps
  const before = outbox.sinks.present?.id
  const contact = new Contact({ ...deps, adopt })
  try {
    await contact.make()
    const { address = deps.sink.name } = await contact.sink()
    return { address, isPresent: outbox.sinks.present?.id === before }
  } finally {
    await contact.close()
    await outbox.breakers.save('sink', deps.resilience.save())
  }
}
