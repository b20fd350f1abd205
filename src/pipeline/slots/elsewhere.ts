/** A slot that was delivered to another sink isn't there already. */
import { ConfigurationError } from '../../errors/index.js'
import { shownAddress } from '../../outbox/chain/sinks.js'
import { shardNameIn } from '../../tasks/slot.js'
import type { Contact } from '../contact.js'
import type { ProduceDeps } from '../parts.js'

/** The error of a slot that was served, but not, or not as a whole, at the present sink; undefined for all others. */
export async function servedElsewhere(
  slot: string,
  { outbox, source }: ProduceDeps,
  contact: Contact,
): Promise<ConfigurationError | undefined> {
  const { ledger, sinks } = outbox
  const places = await ledger.sinksOf(slot, shardNameIn(source.digest))
  if (!places) return undefined
  const address = await contact.address()
  const here = sinks.find(address)
  if (here && places.includes(here.id)) return undefined
  // It may be the same one at another address: then it has the receipt.
  const receipts = here ? [] : await contact.receiptsOf(slot)
  if (receipts && receipts.length > 0) return undefined
  const there = sinks.known.filter(({ id }) => places.includes(id)).map(shownAddress)
  const where = there.length > 0 ? `was delivered to ${there.join(' and to ')}` : 'is divided between sinks'
  const adopt = here
    ? ''
    : ', and `owm outbox adopt --sink --from history` gives it all that the outbox keeps, for `owm flush`'
  // This sink may have a part of a slot that is divided: a replay leaves that out.
  const [command, what] =
    there.length > 0
      ? [`owm produce --slot ${slot} --again`, 'the slot to this sink']
      : [`owm outbox replay --slot ${slot}`, 'the slot to this sink, but for what that says it holds,']
  return new ConfigurationError(
    `The slot ${slot} ${where}, and the sink is ${shownAddress({ addresses: [address] })} now.`,
    {
      hint: `\`${command}\` delivers ${what} under the same task ids${adopt}.`,
    },
  )
}
