import { defineSource, z } from 'owm-producer'

const all = [
  { id: 1, city: 'Nairobi', state: 'Nairobi County', latitude: -1.28333, longitude: 36.81667 },
  { id: 2, city: 'Reykjavík', state: 'Capital Region', latitude: 64.13548, longitude: -21.89541 },
  { id: 3, city: 'Quito', state: 'Pichincha', latitude: -0.22985, longitude: -78.52495 },
  { id: 4, city: 'Oslo', state: 'Oslo', latitude: 59.91273, longitude: 10.74609 },
  { id: 5, city: 'Suva', state: 'Central', latitude: -18.14161, longitude: 178.44149 },
]

/** Replace this with your database or API. It is an object so that the test can make it fail. */
export const backend = { places: async () => all }

export default defineSource({
  name: '__NAME__',
  description: 'what it reads, in one line',
  // All that a configuration may have beside `use:`. owm checks it, and shows it in `owm plugins`.
  options: z.strictObject({
    pageSize: z.number().int().min(1).max(10_000).default(2).describe('locations that are read at once'),
  }),
  async open({ pageSize }, { attempt, signal }) {
    // Check here what a retry can't fix (no such file, no such table): throw a ConfigurationError with a hint.
    return {
      async *read(resume) {
        for (let first = Number(resume ?? 0); ; first += pageSize) {
          signal.throwIfAborted()
          // With the configured retries. What still fails is thrown: owm keeps what it has and reads on next time.
          // Never catch it to end quietly: owm would take a part of the list for the whole.
          const locations = await attempt(async () => (await backend.places()).slice(first, first + pageSize))
          if (locations.length === 0) return
          yield {
            locations,
            // Where to read on if this batch is the last one that was stored.
            resume: String(first + pageSize),
            // Where a location is, so that a bad one can be found.
            position: (index) => `place ${first + index + 1}`,
          }
        }
      },
    }
  },
})
