/** Supervises a source. */
import { ConfigurationError, isOwmError, toError } from '../../errors/index.js'
import {
  isMalformed,
  type Location,
  type LocationBatch,
  Malformed,
  type Source,
  type SourcePlugin,
} from '../../plugin.js'
import { isObject } from '../../tasks/json/tree.js'
import { superviseDoctor } from './answers.js'
import { PluginError, Supervisor, type Terms, valueInWords } from './supervisor.js'

const batchShape = 'A batch is {locations: [{…}], resume: "text", position: (index) => "text"}.'

/** Opens a source. Throws ConfigurationError for a breach of contract, TransientError if it can't be opened. */
export async function superviseSource(terms: Terms, open: () => Source | Promise<Source>): Promise<Source> {
  const supervisor = new Supervisor('source', terms)
  const source = await supervisor.open(open)
  supervisor.mustHave(
    source,
    'read',
    'Its `open` must give {read(resume), close?, total?}; write `read` as `async *read(resume) { … yield … }`.',
  )
  const total = supervisor.look('total', () => source.total)
  return {
    // For the progress bar only: no reason to stop.
    total: typeof total === 'number' && total >= 0 ? total : undefined,
    read: (resume) => pages(supervisor, source, resume),
    ...superviseDoctor(supervisor, source),
    close: () => supervisor.close(source),
  }
}

/** A run with fewer locations ends with an error; 0 if the plugin sets no minimum. Throws ConfigurationError. */
export function minLocationsOf(use: string, { minLocations = 0 }: Pick<SourcePlugin, 'minLocations'>): number {
  if (Number.isSafeInteger(minLocations) && minLocations >= 0) return minLocations
  throw new ConfigurationError(
    `The source ${use} broke its contract: its \`minLocations\` was ${valueInWords(minLocations)}.`,
    {
      hint: 'It is a whole number, 0 or more.',
    },
  )
}

/** The pages of a source that may hang: waits for each only so long, and for none once the signal aborts. */
async function* pages(
  supervisor: Supervisor,
  source: Source,
  resume: string | undefined,
): AsyncGenerator<LocationBatch> {
  const { timeoutMs, signal } = supervisor.terms
  let emptySince: number | undefined
  const batches = supervisor.each(
    'read',
    () => source.read(resume),
    async (ask) => (signal.aborted ? undefined : supervisor.pull(ask)),
  )
  try {
    for await (const batch of batches) {
      const page = checkedPage(supervisor, batch)
      if (page.locations.length > 0) emptySince = undefined
      else {
        emptySince ??= performance.now()
        if (performance.now() - emptySince > timeoutMs)
          throw new PluginError(`The ${supervisor.who} gave nothing but empty batches for ${timeoutMs / 1000} s.`)
      }
      yield page
    }
  } catch (error) {
    throw withSourceName(supervisor, error)
  }
}

/** Names the source in a failure that may pass; other classes of errors speak for themselves. */
function withSourceName({ who }: Supervisor, thrown: unknown): Error {
  const error = toError(thrown)
  const mayPass = !isOwmError(error) || isOwmError(error, 'NOT_HANDED_OVER')
  if (!mayPass || error instanceof PluginError) return error
  const hint = isOwmError(error) && error.hint !== undefined ? { hint: error.hint } : {}
  return new PluginError(`The ${who} failed: ${error.message}`, { ...hint, cause: error })
}

function checkedPage(supervisor: Supervisor, page: LocationBatch): LocationBatch {
  supervisor.must(isObject(page), `it gave ${valueInWords(page)} instead of a batch`, batchShape)
  const locations = supervisor.look('locations', () => page.locations)
  const resume = supervisor.look('resume', () => page.resume)
  supervisor.must(
    Array.isArray(locations),
    `the \`locations\` of a batch were ${valueInWords(locations)}, not a list`,
    batchShape,
  )
  supervisor.must(
    !isOneForAll(locations),
    `the ${locations.length} locations of a batch are one and the same object`,
    'Make a new object for each: what the next one writes into it, the ones before have, too.',
  )
  supervisor.must(
    typeof resume === 'string',
    `the \`resume\` of a batch was ${valueInWords(resume)}, not text`,
    batchShape,
  )
  supervisor.must(
    typeof supervisor.look('position', () => page.position) === 'function',
    'a batch had no function `position`',
    batchShape,
  )
  return {
    // Invalid locations become Malformed, whichever plugin yields them; so do holes, which `every` and `map` skip.
    locations: locations.findIndex((location) => !isRecord(location)) < 0 ? locations : Array.from(locations, recordOf),
    resume,
    position(index, field) {
      const place: unknown = supervisor.look('position', () => page.position(index, field))
      if (typeof place === 'string') return place
      return supervisor.fail(`\`position\` gave ${valueInWords(place)}, not text`, batchShape)
    },
  }
}

/** Whether a source reuses one object, as some parsers do for rows: then only the last location is left. */
function isOneForAll(locations: readonly unknown[]): boolean {
  const [first] = locations
  if (locations.length < 2 || !isObject(first) || isMalformed(first)) return false
  return locations.every((location) => location === first)
}

/** A location may be any object; a Malformed must have its texts. */
const isRecord = (given: Location | Malformed): boolean =>
  isObject(given) && (!isMalformed(given) || (typeof given.value === 'string' && typeof given.reason === 'string'))

function recordOf(given: Location | Malformed): Location | Malformed {
  if (isRecord(given)) return given
  if (!isObject(given) || !isMalformed(given)) return new Malformed(valueInWords(given), 'a location must be an object')
  return new Malformed(valueInWords(given.value), 'a Malformed must have its value and a reason, as texts')
}
