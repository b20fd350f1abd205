/** Makes up histories. */
import fc from 'fast-check'
import type { Step } from '../../src/trace.js'
import {
  changing,
  copying,
  deleting,
  type Flushing,
  flushing,
  losing,
  type Producing,
  poisoning,
  producing,
  purging,
  reopening,
  restoring,
  retrying,
  waiting,
} from './commands.js'
import type { InFlight } from './line.js'
import type { Item, SourceFault } from './list.js'
import type { Fault } from './server.js'
import type { Crash } from './system.js'

const sometimes = <T>(value: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq })
const place = fc.integer({ min: 1, max: 12 })
const items = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: place },
    { weight: 1, arbitrary: fc.constantFrom<Item>('out of range', 'malformed') },
  ),
  {
    maxLength: 16,
  },
)
const faults = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Fault[]>([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom<Fault>('none', 'before', 'after') },
        { weight: 1, arbitrary: fc.constantFrom<Fault>('full', 'configuration', 'lose') },
      ),
      { maxLength: 7 },
    ),
  },
)
const crash = fc.record<Crash>({
  at: fc.constantFrom<Step>(
    'run:started',
    'epoch:raised',
    'sink:attached',
    'sink:compared',
    'sink:placed',
    'receipt:written',
    'intake:read',
    'intake:written',
    'intake:persisted',
    'reading:ended',
    'checking:ended',
    'batch:loaded',
    'batch:sent',
    'batch:sent',
    'batch:answered',
    'acknowledgement:written',
    'batch:acknowledged',
    'history:deleted',
    'relay:ended',
    'settled',
  ),
  nth: fc.integer({ min: 1, max: 3 }),
  inFlight: fc.constantFrom<InFlight>('lost', 'arrives', 'late'),
  requests: fc.integer({ min: 1, max: 3 }),
})

export const commands = fc.commands(
  [
    ...Array.from({ length: 4 }, () =>
      fc
        .record<Producing>({
          slot: fc.integer({ min: 0, max: 3 }),
          deliver: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
          keepTasks: fc.constantFrom(1_000_000, 1_000_000, 5, 0),
          pageSize: fc.integer({ min: 1, max: 5 }),
          sourceFault: sometimes(
            fc.record<SourceFault>({
              page: fc.integer({ min: 0, max: 4 }),
              kind: fc.constantFrom<SourceFault['kind']>('transient', 'checkpoint'),
            }),
            3,
          ),
          faults,
          crash: sometimes(crash),
        })
        .map(producing),
    ),
    ...Array.from({ length: 2 }, () =>
      fc
        .record<Flushing>({ limit: sometimes(fc.integer({ min: 1, max: 8 })), faults, crash: sometimes(crash) })
        .map(flushing),
    ),
    fc.tuple(items, fc.boolean()).map(([given, isNewDigest]) => changing(given, isNewDigest)),
    fc
      .tuple(fc.array(place, { maxLength: 3 }), fc.boolean())
      .map(([places, refusesBatches]) => poisoning(places, refusesBatches)),
    fc.constant(undefined).map(retrying),
    fc.boolean().map(purging),
    fc.integer({ min: 1, max: 8 }).map(losing),
    fc.constant(0).map(losing),
    fc.constant(undefined).map(deleting),
    fc.constantFrom(40, 3_600, -100).map(waiting),
    fc.constant(undefined).map(reopening),
    fc.constant(undefined).map(copying),
    fc.constant(undefined).map(restoring),
  ],
  { maxCommands: 24, size: 'max' },
)
