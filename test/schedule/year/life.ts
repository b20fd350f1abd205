/**
 * Lives through a history and checks the outcome: after each start, whether it reported the truth; at the end,
 * whether each scheduled time was served, is covered by a run that was made for a later one, or was named as missed.
 */
import type { Cadence } from '../../../src/pipeline/input/cadence.js'
import { slotOf } from '../../../src/tasks/slot.js'
import { expectedTaskId } from '../../support/oracle.js'
import type { Happening } from './history.js'
import { type LedgerSeen, ledgerIn, mistakesIn, type Run } from './ledger.js'
import { type Ended, Scene, type Server, type Start } from './scene.js'
import { Stream } from './stream.js'
import { lastTime, minute, nextTime, type Schedule, timeOfStart, timesIn } from './times.js'
import { Windows } from './windows.js'

/** A run, with the schedule by which it was made. */
type Made = Run & { readonly by: Schedule }

export class Life {
  readonly stream: Stream
  readonly complaints: string[] = []
  starts = 0
  readonly #scene: Scene
  /** The last events, to find a fault. */
  readonly log: string[] = []
  /** The true time. */
  #now: number
  /** The first slot that was ever begun. */
  #since: number | undefined
  /** The schedules, and when each came into force. */
  readonly #schedules: { from: number; schedule: Schedule }[] = []
  /** Runs of all outboxes. */
  readonly #made = new Map<string, Made>()
  /** Runs of the present outbox. */
  #present = new Map<string, Run>()
  /** Of those that a backup had before it was made. */
  #deletedTo = 0
  #gapsSeen = 0
  #coveredTo = 0
  #isFirstOutbox = true
  /** Gaps that were reported. */
  readonly #told: { from: number; to: number }[] = []
  #sinkIsDownFor = 0
  #sourceIsDownFor = 0

  readonly #windows: Windows | undefined

  private constructor(scene: Scene, stream: Stream, now: number, windows: Windows | undefined) {
    this.#scene = scene
    this.#windows = windows
    this.stream = stream
    this.#now = now
    this.#schedules.push({ from: 0, schedule: scene.schedule })
  }

  /** @param by server: if the sink isn't a stream in this process */
  static async begin(now: number, schedule: Schedule, by: { server?: Server; cadence?: Cadence } = {}): Promise<Life> {
    const { server, cadence } = by
    const stream = new Stream()
    const scene = await Scene.open(schedule, server ?? stream, cadence)
    return new Life(scene, stream, now, cadence && new Windows(cadence, stream))
  }

  async close(): Promise<void> {
    await this.#scene.close()
  }

  async live(history: Iterable<Happening>, until: number): Promise<void> {
    for (const happening of history) {
      if (this.#now >= until || this.complaints.length + this.stream.complaints.length > 0) break
      await this.#pass(happening)
    }
  }

  /**
   * Ends all trouble and makes one more start. Returns all complaints.
   * @param look sees what is in a server
   */
  async end(look: () => Promise<void> = async () => undefined): Promise<readonly string[]> {
    if (this.complaints.length === 0) {
      this.#now += 60 * minute
      const [ended] = await this.#start({ clock: this.#now, isDown: false, answerLostAt: undefined })
      if (ended?.code !== 0) this.complaints.push(`the last start ended with ${ended?.code}: ${ended?.message}`)
      await look()
      this.complaints.push(...this.#unserved(), ...this.stream.complaints)
      if (this.#windows) this.complaints.push(...this.#windows.complaints(this.#served(), this.#isFirstOutbox))
    }
    return this.complaints
  }

  async #pass(happening: Happening): Promise<void> {
    const { passes, late, skew, second, named, change, crash, answerLostAt, takes } = happening
    const grid = Math.floor((this.#now + passes) / (10 * minute)) * 10 * minute
    this.#now = Math.max(this.#now, grid + late)
    if (change) this.#change(change)
    this.#sinkIsDownFor = Math.max(this.#sinkIsDownFor, happening.sinkIsDownFor)
    // Without the sink a backup doesn't know that it is one (docs/reliability.md, known limits).
    if (happening.outbox !== 'is restored' || this.#sinkIsDownFor <= 0) await this.#touch(happening.outbox)
    this.#sourceIsDownFor = Math.max(this.#sourceIsDownFor, happening.sourceIsDownFor)
    const sourceFailsAt = this.#sourceIsDownFor-- > 0 ? happening.page : undefined
    const isDown = this.#sinkIsDownFor-- > 0
    const start: Start = {
      clock: this.#now + skew,
      slot: this.#slotOf(named),
      isDown,
      answerLostAt,
      sourceFailsAt,
      takes,
      crash: second.startsWith('at once') ? undefined : crash,
    }
    if (!second.startsWith('at once')) await this.#start(start)
    else await this.#start(start, { ...start, slot: undefined, isWaiting: second === 'at once, waiting' })
    if (second !== 'later') return
    this.#now += minute
    await this.#start({ clock: this.#now, isDown, answerLostAt: undefined, sourceFailsAt })
  }

  #change(change: Partial<Schedule>): void {
    this.#scene.schedule = { ...this.#scene.schedule, ...change }
    this.#says(`${at(this.#now)} the schedule is ${JSON.stringify(this.#scene.schedule)}`)
    this.#schedules.push({ from: this.#now, schedule: this.#scene.schedule })
  }

  async #touch(what: Happening['outbox']): Promise<void> {
    if (what === 'stays') return
    this.#says(`${at(this.#now)} the outbox ${what}`)
    if (what === 'is copied') this.#scene.copy('copy')
    else {
      this.#isFirstOutbox = false
      this.stream.outboxLost()
      this.#present = new Map()
      this.#gapsSeen = 0
      // Without any receipt, the next start is the first one again.
      if (this.stream.receipts.size === 0) this.#since = undefined
    }
    if (what === 'is lost') await this.#scene.lose()
    if (what === 'is restored') await this.#scene.restore('copy')
    // The start may delete some of its runs, and finds that others were served since the backup was made.
    const { runs = [], deletedTo = null } = (await ledgerIn(this.#scene.outbox)) ?? {}
    this.#deletedTo = Date.parse(deletedTo ?? '') || 0
    for (const run of runs)
      this.#present.set(run.runId, this.stream.receipts.has(run.slot) ? { ...run, state: 'done' } : run)
  }

  #slotOf(named: Happening['named']): string | undefined {
    if (named === 'none') return undefined
    const time = (named === 'last' ? lastTime : nextTime)(this.#scene.schedule, this.#now)
    return time === undefined ? undefined : slotOf(time)
  }

  async #start(...starts: Start[]): Promise<Ended[]> {
    const { schedule } = this.#scene
    const ended = await this.#scene.start(...starts)
    this.starts += starts.length
    const [first] = starts
    const passed = Math.max(...ended.map(({ clock }) => clock)) - (first?.clock ?? 0)
    this.#now += Math.max(0, passed)
    const seen = await ledgerIn(this.#scene.outbox)
    for (const [index, one] of ended.entries()) this.#says(wordsOf(starts[index], one))
    if (seen) this.#note(seen, schedule, ended)
    for (const [index, one] of ended.entries()) this.#mustBeTrue(one, starts[index], seen)
    return ended
  }

  #note(seen: LedgerSeen, by: Schedule, ended: readonly Ended[]): void {
    const warnings = ended.flatMap((one) => one.warnings)
    const mustBeCovered = by.catchUp === 'latest' && (seen.coveredTo ?? 0) > this.#coveredTo
    this.#coveredTo = seen.coveredTo ?? 0
    for (const run of seen.runs) {
      const isLeft = mustBeCovered && isEmpty(this.#present.get(run.runId)) && run.state !== 'missed'
      if (isLeft) this.complaints.push(`${run.slot} is ${run.state}, although a later run covers it`)
      this.#made.set(run.runId, { ...run, by: this.#made.get(run.runId)?.by ?? by })
      this.#present.set(run.runId, run)
      this.#since ??= Date.parse(run.slot)
    }
    for (const { id, from, to } of seen.gaps) {
      if (id <= this.#gapsSeen) continue
      this.#gapsSeen = id
      // A backup has those of before it was made.
      const isKnown = this.#told.some((gap) => gap.from === Date.parse(from) && gap.to === Date.parse(to))
      const isNamed = warnings.some((text) => text.includes('missed') && text.includes(from) && text.includes(to))
      if (!isNamed && !isKnown) this.complaints.push(`nobody was told that ${from} to ${to} are missed`)
      this.#told.push({ from: Date.parse(from), to: Date.parse(to) })
    }
    const whole = [...this.#present.values()].filter(({ slot }) => Date.parse(slot) > this.#deletedTo)
    this.complaints.push(...mistakesIn(whole, seen.coveredTo))
  }

  /** Whether a start did what its exit code says. */
  #mustBeTrue(
    { code, message, clock, hadToWait }: Ended,
    start: Start | undefined,
    seen: LedgerSeen | undefined,
  ): void {
    const { isDown = false, sourceFailsAt, slot, crash } = start ?? {}
    const when = `the start at ${at(start?.clock ?? 0)}`
    const isWell = !isDown && sourceFailsAt === undefined && !crash && !hadToWait
    const mayBe = [0, 75, ...(crash ? [143] : []), ...(slot ? [2] : [])]
    if (code !== undefined && !mayBe.includes(code)) this.complaints.push(`${when} ended with ${code}: ${message}`)
    if (isWell && code !== 0 && !slot && start?.answerLostAt === undefined)
      this.complaints.push(`${when} ended with ${code} although all was well: ${message}`)
    if (code !== 0 || slot) return
    const open = seen?.runs.filter(({ state }) => !['done', 'missed', 'discarded'].includes(state)) ?? []
    if (open.length > 0 || seen?.pending !== 0)
      this.complaints.push(
        `${when} said 0, and ${open.map((run) => `${run.slot} is ${run.state}`)}, ${seen?.pending} pending`,
      )
    const due = timeOfStart(this.#scene.schedule, clock)
    if (due !== undefined && (seen?.coveredTo ?? 0) < due)
      this.complaints.push(`${when} said 0, and ${at(due)} is due: covered to ${at(seen?.coveredTo ?? 0)}`)
  }

  #says(line: string): void {
    this.log.push(line)
    if (this.log.length > kept) this.log.shift()
  }

  /** Scheduled times of which nothing is known. */
  #unserved(): string[] {
    const runs = this.#served()
    return this.#schedules.flatMap(({ from, schedule }, index) => {
      const begin = Math.max(from, this.#since ?? this.#now)
      // Times after the last interval aren't due by the present schedule: the last start has said so.
      const end = Math.min(this.#schedules[index + 1]?.from ?? this.#now, this.#coveredTo)
      const left = [...timesIn(schedule, begin, end)].filter((time) => !this.#isAnswered(time, runs))
      return left.map((time) => `${at(time)} is neither served, covered nor named as missed`)
    })
  }

  /** Those that have an interval. */
  #served(): Made[] {
    return [...this.#made.values()].filter(({ state, from }) => state === 'done' && from !== null)
  }

  #isAnswered(time: number, runs: readonly Made[]): boolean {
    const served = this.stream.slots.get(slotOf(time))
    if (this.#windows ? served?.has(expectedTaskId(slotOf(time), 'Berlin')) : served?.size === 3) return true
    if (this.#told.some(({ from, to }) => from <= time && time <= to)) return true
    const by = runs.find(({ from, slot }) => from !== null && from < time && time <= Date.parse(slot))?.by
    if (!by) return false
    // With a run for each, only another schedule's times are covered.
    return by.catchUp === 'latest' || ![...timesIn(by, time - 1, time)].includes(time)
  }
}

/** A run that stored nothing, and has an interval to give away. */
const isEmpty = (run: Run | undefined): boolean => run?.state === 'reading' && run.stored === 0 && run.from !== null

/** Lines of the log. */
const kept = 60

const at = (time: number): string => new Date(time).toISOString()

const wordsOf = (start: Start | undefined, { code, message, warnings }: Ended): string => {
  const { clock = 0, ...how } = start ?? {}
  const told = [message, ...warnings].filter(Boolean).join('; ')
  return `${at(clock)} ${JSON.stringify(how)} -> ${code}${told === '' ? '' : `: ${told}`}`
}
