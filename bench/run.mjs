/**
 * `npm run bench`: owm beside its peers, whole processes, side by side in one run.
 *
 *     npm run bench -- [--quick] [--only NAME]… [--reps N] [--markdown FILE]
 *
 * Every side runs once to warm up, then the sides take turns. owm runs with its default configuration,
 * synchronous=FULL included; where a row departs from it, its text says so. What a side needs beforehand (an outbox,
 * a list) is made before the clock starts, what it claims is checked after it stops.
 */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { groups } from './groups.mjs'
import { clear, extraCertificates } from './scene.mjs'
import { redis } from './work.mjs'

/** @typedef {import('./groups.mjs').Row} Row */
/** @typedef {import('./groups.mjs').Group} Group */

const MiB = 2 ** 20
const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    reps: { type: 'string' },
    markdown: { type: 'string' },
  },
})
const { quick } = flags
const reps = Number(flags.reps ?? (quick ? 3 : 5))

const began = Date.now()
/** @type {string[]} */
const missing = []
/** @type {string[]} */
const hurried = []

try {
  if (!Number.isInteger(reps) || reps < 1) throw new Error(`--reps ${flags.reps}: give a whole number, 1 or more`)
  await main()
} finally {
  await redis?.stop()
  clear()
}

async function main() {
  const all = groups(quick, reps, say)
  const names = all.map((group) => group.name)
  const unknown = flags.only.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(' ')}: there are ${names.join(', ')}`)
  const load = loadavg()[0] ?? 0
  const machine = [
    `${cpus().length} cores (${cpus()[0]?.model.trim()})`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.versions.node}`,
    ...(redis ? [`Redis ${redis.version}`] : []),
  ].join(', ')
  say(`${machine}; load ${load.toFixed(1)}`)
  /** @type {string[][]} */
  const rows = []
  for (const group of all.filter(({ name }) => flags.only.length === 0 || flags.only.includes(name)))
    rows.push(...(await measured(group)))
  const text = markdown(rows, title(machine, load))
  process.stdout.write(text)
  if (flags.markdown) writeFileSync(flags.markdown, text)
}

/** @param {Group} group @returns {Promise<string[][]>} */
async function measured(group) {
  // On a busy machine --quick stays quick by repeating less, and says where.
  const late = quick && flags.reps === undefined && Date.now() - began > 45_000
  if (late) hurried.push(group.name)
  say(`${group.name} …`)
  const sides = Object.entries(await group.sides())
  const able = sides.filter(([, side]) => side.missing === undefined)
  for (const [, side] of sides)
    if (side.missing !== undefined) missing.push(`${group.name}, ${side.label}: ${side.missing}`)
  /** @type {Map<string, number[]>} */
  const results = new Map(able.map(([key]) => [key, []]))
  for (let turn = group.cold || late ? 1 : 0; turn <= (late ? 1 : group.reps); turn++) {
    // Every second turn the other way round: nobody always comes after the same neighbour.
    for (const [key, side] of turn % 2 === 0 ? able : able.toReversed()) {
      const value = await side.run()
      if (turn > 0) results.get(key)?.push(value)
    }
  }
  await group.after?.()
  const rows = group.rows.flatMap((row) => judged(row, results, group.bytes ?? false))
  for (const row of rows) say(`  ${row.join(' | ')}`)
  return rows
}

/**
 * A row of the table; none where a side couldn't run.
 *
 * @param {Row} row
 * @param {Map<string, number[]>} results
 * @param {boolean} bytes
 * @returns {string[][]}
 */
function judged({ what, against, goal, scale = 1, ...row }, results, bytes) {
  const a = results.get(row.a)
  const b = results.get(row.b)
  if (!a || (!b && row.b !== '')) return []
  const [ofA, ofB] = [shown(a, bytes), b ? shown(b, bytes) : '']
  const verdict = (/** @type {boolean} */ met) => (met ? 'met' : '**not met**')
  if (goal && 'bytes' in goal) {
    const ratio = median(a) / goal.bytes
    return [[what, against, ofA, ofB, ratio.toFixed(2), 'at most 1', verdict(ratio <= 1)]]
  }
  if (goal && 'secondsMore' in goal) {
    const more = median(a) - median(b ?? [])
    const of = `${more.toFixed(2)} s more (${(Math.min(...a) - Math.min(...(b ?? []))).toFixed(2)})`
    return [[what, against, ofA, ofB, of, `at most ${goal.secondsMore} s more`, verdict(more <= goal.secondsMore)]]
  }
  // Turn by turn: what slows the machine for a while slows both.
  const ratio = median(a.map((value, turn) => value / (b?.[turn] ?? Number.NaN))) / scale
  // What else runs on the machine only ever adds: the best of each side says how much of the ratio is noise.
  const best = Math.min(...a) / Math.min(...(b ?? [])) / scale
  if (goal && 'timesAsFast' in goal) {
    const wanted = goal.timesAsFast === 1 ? 'faster' : `at least ${goal.timesAsFast}x as fast`
    const times = `${(1 / ratio).toFixed(1)}x as fast (${(1 / best).toFixed(1)})`
    return [[what, against, ofA, ofB, times, wanted, verdict(1 / ratio >= goal.timesAsFast)]]
  }
  const ratios = `${ratio.toFixed(2)} (${best.toFixed(2)})`
  if (!goal) return [[what, against, ofA, ofB, ratios, '', '']]
  return [[what, against, ofA, ofB, ratios, `at most ${goal.atMost}`, verdict(ratio <= goal.atMost)]]
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2
}

/** The median, and in brackets the least and the most. @param {number[]} values @param {boolean} bytes */
function shown(values, bytes) {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (bytes) return `${Math.round(median(values) / MiB)} MiB (${Math.round(least / MiB)}..${Math.round(most / MiB)})`
  const digits = median(values) < 10 ? 2 : 1
  return `${median(values).toFixed(digits)} s (${least.toFixed(digits)}..${most.toFixed(digits)})`
}

/** What was measured, on what. @param {string} machine @param {number} load when it began */
function title(machine, load) {
  const args = process.argv.slice(2)
  const told = args.filter((word, at) => word !== '--markdown' && args[at - 1] !== '--markdown')
  const command = ['npm run bench', ...(told.length > 0 ? ['--', ...told] : [])].join(' ')
  const now = (loadavg()[0] ?? 0).toFixed(1)
  return [
    `\`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${machine}.`,
    `Medians of ${reps} or more (least..most), whole processes, sides taking turns;`,
    `load ${load.toFixed(1)} before, ${now} after, ${Math.round((Date.now() - began) / 1000)} s in all.`,
    ...(quick ? ['Quick: fewer repetitions and smaller sizes than the goals name.'] : []),
    ...(hurried.length > 0 ? [`The machine was slow: one repetition, and no warm-up, for ${hurried.join(', ')}.`] : []),
    ...(extraCertificates === undefined
      ? []
      : ['NODE_EXTRA_CA_CERTS, which is set here, was not: it costs each start of Node some 40 ms.']),
    ...missing.map((one) => `Not run: ${one}.`),
  ].join('\n')
}

/** @param {string[][]} rows @param {string} title */
function markdown(rows, title) {
  const head = ['what', 'against', 'owm', 'the other', 'ratio (of the best)', 'goal', '']
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`
  return `${title}\n\n${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}

function say(/** @type {string} */ text) {
  process.stderr.write(`bench: ${text}\n`)
}
