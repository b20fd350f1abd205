import * as Flags from '@oclif/core/flags'
import { type Done, OwmCommand } from '../../cli/command.js'
import { age, count, plural, table, terminalWidth } from '../../cli/terminal.js'
import type { RunReport, TaskReport, TaskState, Totals } from '../../outbox/inspect.js'

const states = ['pending', 'dead', 'rejected', 'delivered'] as const satisfies readonly TaskState[]

/** What `owm outbox inspect --json` prints. */
export interface InspectResult {
  path: string | null
  totals: Totals
  oldestPendingAt: string | null
  breakers: { name: string; state: 'open' | 'closed'; failures: number; since: string | null }[]
  runs: RunReport[]
  tasks: TaskReport[]
}

export default class OutboxInspect extends OwmCommand<InspectResult> {
  static override summary = 'Look into the outbox: totals, runs, single tasks.'
  static override description = 'Opens the file read-only; a running owm is neither blocked nor changed.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --state rejected',
    '<%= config.bin %> <%= command.id %> --location Lagos --json',
  ]
  static override flags = {
    state: Flags.option({ options: states, description: 'only tasks in this state' })(),
    run: Flags.string({ description: 'only this run: its id, or the beginning of it', helpValue: 'ID' }),
    location: Flags.string({ description: 'only tasks that contain this text', helpValue: 'TEXT' }),
    limit: Flags.integer({
      description: 'at most so many runs and so many tasks',
      min: 1,
      default: 20,
      helpValue: 'N',
    }),
  }

  protected result: InspectResult = {
    path: null,
    totals: { pending: 0, dead: 0, rejected: 0, duplicates: 0 },
    oldestPendingAt: null,
    breakers: [],
    runs: [],
    tasks: [],
  }

  protected async work(): Promise<Done<InspectResult>> {
    const { flags } = await this.parse(OutboxInspect)
    this.takeFlags(flags)
    const [{ Inspection }, { settings }] = await Promise.all([import('../../outbox/inspect.js'), this.configure(flags)])
    const { path } = settings.outbox
    this.result.path = path
    const inspection = await Inspection.open(path)
    try {
      if (!inspection.exists)
        return {
          result: this.result,
          summary: [`There is nothing in the outbox ${path} yet: \`owm produce\` makes it.`],
        }
      const filter = { state: flags.state, run: flags.run, location: flags.location, limit: flags.limit }
      this.result = {
        path,
        totals: await inspection.totals(),
        oldestPendingAt: await inspection.oldestPendingAt(),
        breakers: await inspection.breakers(),
        runs: await inspection.runs(filter),
        tasks: await inspection.tasks(filter),
      }
      return { result: this.result, summary: this.#report() }
    } finally {
      await inspection.close()
    }
  }

  #report(): string[] {
    const { path, totals, oldestPendingAt, breakers, runs, tasks } = this.result
    const width = terminalWidth()
    const started = width >= 110 ? ['STARTED'] : [] // the first to go where room is short
    const oldest = oldestPendingAt === null ? '' : ` (the oldest for ${age(Date.now() - Date.parse(oldestPendingAt))})`
    const lines = [
      `outbox ${path}`,
      `${count(totals.pending)} pending${oldest}, ${count(totals.dead)} dead, ${count(totals.rejected)} rejected, ${plural(totals.duplicates, 'duplicate')}`,
    ]
    for (const { name, state, failures, since } of breakers)
      lines.push(
        `circuit to the ${name}: ${state}, ${plural(failures, 'failure')} in a row${since === null ? '' : `, open since ${since}`}`,
      )
    if (runs.length > 0)
      lines.push(
        '',
        ...table(
          ['RUN', 'SLOT', 'STATE', 'READ', 'REJ.', 'DUPL.', 'DELIVERED', 'DEAD', ...started],
          runs.map((run) => [
            run.runId.slice(0, 8),
            run.slot,
            run.state,
            count(run.read),
            count(run.rejected),
            count(run.duplicates),
            count(run.delivered),
            count(run.dead),
            ...(started.length > 0 ? [run.startedAt] : []),
          ]),
          width,
        ),
      )
    if (tasks.length > 0)
      lines.push(
        '',
        ...table(
          ['SEQ', 'RUN', 'STATE', 'TRIES', 'LOCATION', 'LAST ERROR'],
          tasks.map((task) => [
            task.seq === null ? (task.position ?? '') : String(task.seq),
            task.runId.slice(0, 8),
            task.state,
            String(task.attempts),
            placeOf(task),
            task.lastError ?? '',
          ]),
          width,
        ),
      )
    return lines
  }
}

function placeOf({ task, value }: TaskReport): string {
  const text =
    typeof task === 'object' && task !== null && 'city' in task && 'latitude_deg' in task && 'longitude_deg' in task
      ? `${task.city} (${task.latitude_deg}, ${task.longitude_deg})`
      : (value ?? '')
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}
