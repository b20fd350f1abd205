/**
 * An oracle that is independent of owm: it makes the locations itself, knows by
 * its own arithmetic which task each of them must become, reads the sink with a
 * client of its own and the outbox' file with its own SQL (from a copy, so that
 * looking changes nothing). It never asks owm, and never believes its counters
 * without counting.
 */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { entriesIn, factsOf, type SinkPlace } from './contents.js'

// --- locations ---

export interface Place {
  readonly id: string
  readonly latitude: number
  readonly longitude: number
  readonly city: string
  readonly state: string
}

/** A list of locations on the disk, and what is in it. */
export interface Locations {
  readonly path: string
  /** Rows of the list, the bad and the repeated ones among them. */
  readonly rows: number
  readonly rejected: number
  readonly duplicates: number
  /** What must become tasks. */
  readonly valid: readonly Place[]
}

export interface LocationOptions {
  rows: number
  /** Begins every id: two lists with different ones have nothing in common. */
  prefix?: string
  /** False: only good rows. */
  bad?: boolean
}

const words = [
  'Nairobi',
  'São Paulo',
  'Åre',
  '東京',
  'Washington, D.C.',
  'الرياض',
  "L'Aquila",
  'Ürümqi',
  '"Quoted"',
  '🏝 Malé',
]

function place(prefix: string, number: number): Place {
  return {
    id: `${prefix}${number}`,
    latitude: (((number * 7_919) % 18_001) - 9_000) / 100,
    longitude: (((number * 104_729) % 36_001) - 18_000) / 100,
    city: `${words[number % words.length]} ${number}`,
    state: number % 7 === 0 ? '' : `State ${number % 50}`,
  }
}

/**
 * Writes a list, as CSV or as NDJSON by its name's ending: every 97th row is out of range, every 101st repeats the one
 * 40 rows above.
 */
export async function writeLocations(
  path: string,
  { rows, prefix = 'L', bad = true }: LocationOptions,
): Promise<Locations> {
  const valid: Place[] = []
  const lines: string[] = []
  const isCsv = path.endsWith('.csv')
  const cell = (value: string | number): string => `"${String(value).replaceAll('"', '""')}"`
  const line = (of: Place): string =>
    isCsv
      ? [of.id, of.latitude, of.longitude, of.city, of.state, rows].map(cell).join(',')
      : JSON.stringify({ ...of, population: rows })
  let rejected = 0
  let duplicates = 0
  for (let number = 1; number <= rows; number++) {
    const own = place(prefix, number)
    const again = valid.at(-40)
    if (bad && number % 97 === 0) {
      rejected++
      lines.push(line({ ...own, latitude: 90 + number }))
    } else if (bad && number % 101 === 0 && again) {
      duplicates++
      lines.push(line(again))
    } else {
      valid.push(own)
      lines.push(line(own))
    }
  }
  await writeFile(path, `${isCsv ? 'id,latitude,longitude,city,state,population\n' : ''}${lines.join('\n')}\n`)
  return { path, rows, rejected, duplicates, valid }
}

// --- tasks ---

function uuid5(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const urlNamespace = '6ba7b811-9dad-11d1-80b4-00c04fd430c8'
const owmNamespace = uuid5(urlNamespace, 'urn:owm:task')

/** The id that the task of a place in a slot must have. */
export const expectedTaskId = (slot: string, id: string): string => uuid5(owmNamespace, `${slot}\nid\n${id}`)

// --- the verdict ---

export interface Ledger {
  readonly outbox: string
  /** What was asked of this outbox: which list each slot was produced from. */
  readonly slots: ReadonlyMap<string, Locations>
  /** Slots whose runs may have left the ledger with the history. */
  readonly forgotten?: Set<string>
}

export interface Case {
  readonly sink: SinkPlace
  readonly guarantee: 'exactly-once' | 'at-least-once'
  readonly ledgers: readonly Ledger[]
}

interface Expected {
  readonly slot: string
  readonly place: Place
  readonly population: number
}

/** The task ids of a list in a slot, in the list's order: hashed once. */
function idsOf(slot: string, list: Locations): readonly string[] {
  const known = idsByList.get(list) ?? new Map<string, readonly string[]>()
  idsByList.set(list, known)
  const ids = known.get(slot) ?? list.valid.map(({ id }) => expectedTaskId(slot, id))
  known.set(slot, ids)
  return ids
}
const idsByList = new WeakMap<Locations, Map<string, readonly string[]>>()

/** What every task must be, by its id. */
function expectations(ledgers: readonly Ledger[]): Map<string, Expected> {
  const expected = new Map<string, Expected>()
  for (const { slots } of ledgers)
    for (const [slot, list] of slots) {
      const ids = idsOf(slot, list)
      for (const [index, own] of list.valid.entries())
        expected.set(ids[index] ?? '', { slot, place: own, population: list.rows })
    }
  return expected
}

/** At most a few of a long list: a failing test should be readable. */
const some = (found: readonly string[]): string =>
  `${found.slice(0, 5).join(', ')}${found.length > 5 ? `, … (${found.length})` : ''}`

/** Counts each task id in the sink; complains about entries that no location gives or that say something else. */
function countEntries(
  entries: readonly string[],
  expected: ReadonlyMap<string, Expected>,
  complaints: string[],
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of entries) {
    let task: unknown
    try {
      task = JSON.parse(text)
    } catch {
      complaints.push(`not JSON in the sink: ${text.slice(0, 200)}`)
      continue
    }
    const id =
      typeof task === 'object' && task !== null && 'task_id' in task && typeof task.task_id === 'string'
        ? task.task_id
        : ''
    const wanted = expected.get(id)
    if (!wanted) {
      complaints.push(`in the sink, but never read: ${text.slice(0, 200)}`)
      continue
    }
    if (JSON.stringify(sorted(task)) !== JSON.stringify(sorted(taskOf(id, wanted))))
      complaints.push(`changed on its way: ${text.slice(0, 300)}`)
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

const taskOf = (id: string, { place: own, population }: Expected): object => ({
  task_id: id,
  latitude_deg: own.latitude,
  longitude_deg: own.longitude,
  city: own.city,
  state: own.state,
  forecast_duration_hours: 72,
  historical_duration_hours: 72,
  location_id: own.id,
  population: String(population),
})

/** Numbers of a CSV are text, those of NDJSON aren't: one form for both. */
const sorted = (task: unknown): [string, unknown][] =>
  Object.entries(typeof task === 'object' && task !== null ? task : {})
    .map(([key, value]): [string, unknown] => [key, key === 'population' ? String(value) : value])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))

/** What must hold at every moment, also right after a SIGKILL. Complaints; none is good. */
export async function complaintsAtAnyMoment({ sink, guarantee, ledgers }: Case): Promise<string[]> {
  const complaints: string[] = []
  const expected = expectations(ledgers)
  // The outbox first: what it says was delivered must be found in the sink afterwards.
  const facts = await Promise.all(ledgers.map(({ outbox }) => factsOf(outbox)))
  const counts = countEntries(await entriesIn(sink), expected, complaints)
  if (guarantee === 'exactly-once') complainOfTwice(counts, expected, complaints)
  const stored = new Set<string>()
  let hasForgotten = false
  for (const [index, ledger] of ledgers.entries()) {
    const fact = facts[index]
    if (!fact) continue
    hasForgotten ||= (ledger.forgotten?.size ?? 0) > 0
    for (const run of fact.runs) {
      if (run.read !== run.persisted + run.rejected + run.duplicates + run.suspects)
        complaints.push(`the run's sums are wrong: ${JSON.stringify(run)}`)
      if (run.kept !== run.rejected) complaints.push(`counted as rejected, but not kept: ${JSON.stringify(run)}`)
    }
    if (fact.ackedSeq > fact.lastSeq)
      complaints.push(`delivered up to ${fact.ackedSeq}, but stored only up to ${fact.lastSeq}`)
    const before = stored.size
    for (const { taskId } of fact.tasks) stored.add(taskId)
    if (stored.size - before !== fact.tasks.length)
      complaints.push(`stored twice: ${fact.tasks.length - (stored.size - before)} tasks`)
    const ahead = fact.tasks.filter(
      ({ seq, taskId }) => seq <= fact.ackedSeq && !fact.dead.has(seq) && !counts.has(taskId),
    )
    if (ahead.length > 0)
      complaints.push(`acknowledged, but not in the sink: seq ${some(ahead.map(({ seq }) => String(seq)))}`)
    const alien = fact.tasks.filter(({ taskId }) => !expected.has(taskId))
    if (alien.length > 0) complaints.push(`stored, but never read: seq ${some(alien.map(({ seq }) => String(seq)))}`)
  }
  if (!hasForgotten) {
    const unstored = [...counts.keys()].filter((id) => !stored.has(id))
    if (unstored.length > 0) complaints.push(`in the sink before it was stored: ${some(unstored)}`)
  }
  return complaints
}

/** What must hold when every slot was produced to its end. Complaints; none is good. */
export async function complaintsWhenComplete(of: Case): Promise<string[]> {
  const { sink, guarantee, ledgers } = of
  const complaints: string[] = []
  const expected = expectations(ledgers)
  const entries = await entriesIn(sink)
  const counts = countEntries(entries, expected, complaints)
  const lost = [...expected].filter(([id]) => !counts.has(id))
  if (lost.length > 0) complaints.push(`lost: ${some(lost.map(([, { slot, place: own }]) => `${own.id} of ${slot}`))}`)
  if (guarantee === 'exactly-once') complainOfTwice(counts, expected, complaints)
  for (const ledger of ledgers) complaints.push(...(await accounts(ledger, counts)))
  return complaints
}

function complainOfTwice(
  counts: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, Expected>,
  complaints: string[],
): void {
  const twice = [...counts].filter(([, count]) => count > 1)
  if (twice.length > 0)
    complaints.push(
      `more than once: ${some(
        twice.map(([id, count]) => `${expected.get(id)?.place.id} of ${expected.get(id)?.slot} x${count}`),
      )}`,
    )
}

/**
 * read = valid + rejected + duplicates, valid = delivered + pending + dead, where "delivered" is what we counted in the
 * sink.
 */
async function accounts({ outbox, slots, forgotten }: Ledger, counts: ReadonlyMap<string, number>): Promise<string[]> {
  const complaints: string[] = []
  const facts = await factsOf(outbox)
  if (!facts) return [`the outbox ${outbox} is gone`]
  if (facts.ackedSeq !== facts.lastSeq) complaints.push(`pending: ${facts.lastSeq - facts.ackedSeq}`)
  for (const [slot, list] of slots) {
    if (forgotten?.has(slot)) continue
    const runs = facts.runs.filter((run) => run.slot === slot)
    const last = runs.at(-1)
    if (!last) {
      complaints.push(`slot ${slot} has no run`)
      continue
    }
    const says = JSON.stringify(runs)
    const ids = new Set(runs.map(({ id }) => id))
    const own = facts.tasks.filter(({ run }) => ids.has(run))
    const persisted = runs.reduce((sum, run) => sum + run.persisted, 0)
    const dead = own.filter(({ seq }) => facts.dead.has(seq)).length
    const pending = own.filter(({ seq }) => seq > facts.ackedSeq && !facts.dead.has(seq)).length
    const delivered = idsOf(slot, list).filter((id) => counts.has(id)).length
    if (persisted !== list.valid.length)
      complaints.push(`slot ${slot}: ${list.valid.length} valid locations, ${persisted} tasks stored: ${says}`)
    if (persisted !== delivered + pending + dead)
      complaints.push(
        `slot ${slot}: ${persisted} stored, but ${delivered} delivered + ${pending} pending + ${dead} dead: ${says}`,
      )
    if (last.read !== list.rows || last.rejected !== list.rejected)
      complaints.push(`slot ${slot}: ${list.rows} rows, ${list.rejected} bad ones, but ${says}`)
    if (runs.length === 1 && last.duplicates !== list.duplicates)
      complaints.push(`slot ${slot}: ${list.duplicates} duplicates, but ${says}`)
    for (const run of runs) {
      if (run.read !== run.persisted + run.rejected + run.duplicates || run.suspects > 0)
        complaints.push(`slot ${slot}: the run's sums are wrong: ${JSON.stringify(run)}`)
      if (run.kept !== run.rejected)
        complaints.push(`slot ${slot}: counted as rejected, but not kept: ${JSON.stringify(run)}`)
      if (run.state !== 'done') complaints.push(`slot ${slot}: its run is still ${run.state}`)
    }
  }
  return complaints
}
