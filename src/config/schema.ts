/** The sections of a configuration, their keys and defaults. */
import * as z from 'zod'
import { metrics, notify, task } from '../observe/settings.js'
import { durationPattern } from '../schedule/duration.js'
import { isZone, mistakeIn } from '../schedule/timetable.js'
import { periodMs, periodsInWords } from '../schedule/windows.js'

// A schema is used once or twice a run: compiling it takes longer than the compiled code saves.
z.config({ jitless: true })

const milliseconds = z.number().int().min(0).max(86_400_000).meta({ unit: 'ms' })
const plugin = z.looseObject({
  use: z.string().min(1).describe("a built-in's name, a package, or a path to a module"),
})
const longitude = z.number().min(-180).max(180)
const latitude = z.number().min(-90).max(90)
const scalars = [z.string(), z.number(), z.boolean()] as const
const values = [...scalars, z.array(z.union(scalars)).min(1)] as const

/** A condition on a field. */
export const condition = z
  .strictObject({
    gte: z.number().optional().describe('at least this number'),
    gt: z.number().optional().describe('more than this number'),
    lte: z.number().optional().describe('at most this number'),
    lt: z.number().optional().describe('less than this number'),
    in: z.union(values).optional().describe('this value, or one of these'),
    not: z.union(values).optional().describe('not this value, and none of these'),
    exists: z.boolean().optional().describe('whether the field has a value'),
  })
  .superRefine((given, context) => {
    const { gte = -Infinity, gt = -Infinity, lte = Infinity, lt = Infinity, exists } = given
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message })
    const isEmpty = Object.keys(given).length === 0 && context.issues.length === 0
    if (isEmpty) refuse('an operator is expected: gte, gt, lte, lt, in, not or exists')
    if (gte > lte || gt >= lte || Math.max(gte, gt) >= lt) refuse('no number lies between its bounds')
    if (exists === false && Object.keys(given).length > 1)
      refuse('with `exists: false` there is nothing else to ask for')
  })
  .meta({ minProperties: 1 })

/** A `where:`, wherever it stands. */
export const conditions = z
  .object({
    bbox: z
      .tuple([longitude, latitude, longitude, latitude])
      .refine(
        ([, south, , north]) => south <= north,
        'its south must not lie north of its north: [west, south, east, north] is expected',
      )
      .optional()
      .describe('[west, south, east, north] in degrees; west may be greater than east, across the antimeridian'),
  })
  .catchall(z.union([...values, condition]))

/** The keys beside `use` in every source. owm reads them; the plugin doesn't get them. */
export const sourceKeys = {
  timeoutMs: milliseconds.min(1).default(60_000).describe('longest wait for the next locations, in milliseconds'),
  maxLocations: z
    .number()
    .int()
    .min(1)
    .default(100_000_000)
    .describe('stop with an error after this many locations; guards against a source that never ends'),
  minLocations: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('fewer usable locations end the run before anything is delivered; 1 for http and sql, 0 for others'),
  minShare: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'likewise, as a share of the last run that was delivered, 0 to 1, a shard compared with itself; ' +
        'until it is reached tasks stay in memory',
    ),
  where: conditions
    .optional()
    .describe(
      'only locations that meet this: `country: [DE, AT]`, `population: {gte: 100000}`; ' +
        "the field by owm's name, or by the source's own",
    ),
  sample: z.number().min(0).max(1).optional().describe('a share of the locations, 0 to 1; the same ones each time'),
  limit: z.number().int().min(1).optional().describe('at most this many of the locations that the other filters leave'),
  shard: z
    .string()
    .regex(/^\d{1,6}\/\d{1,6}$/, 'i/n is expected, such as 0/3')
    .refine((shard) => Number(shard.split('/')[0]) < Number(shard.split('/')[1]), 'in i/n, i goes from 0 to n-1')
    .optional()
    .describe('only share i of n, such as `0/3`: n producers cover each location exactly once'),
  shards: z
    .number()
    .int()
    .min(1)
    .max(999_999)
    .optional()
    .describe('number of shares, one for each pod of a Kubernetes Indexed Job; JOB_COMPLETION_INDEX tells which'),
}

/** Likewise, in every sink. */
export const sinkKeys = {
  timeoutMs: milliseconds.min(1).default(60_000).describe('longest wait for an answer of the sink, in milliseconds'),
}

export const commonKeys: Readonly<Record<'source' | 'sink', readonly string[]>> = {
  source: Object.keys(sourceKeys),
  sink: Object.keys(sinkKeys),
}

/** The outbox's default path. */
export const defaultOutbox = '/tmp/owm_producer_tasks.db'

const schedule = z
  .strictObject({
    cron: z
      .string()
      .min(1)
      .describe('when a run is due: a cron expression of five fields, or @hourly, @daily and so on'),
    timezone: z.string().min(1).default('UTC').describe('IANA time zone of the expression, such as Europe/Berlin'),
    catchUp: z
      .enum(['latest', 'all'])
      .default('latest')
      .describe('`latest`: one run covers all that is due; `all`: a run for each scheduled time, the newest first'),
    maxCatchUp: z.number().int().min(1).default(24).describe('runs that one start makes up at most, with `all`'),
    maxAge: z
      .string()
      .regex(durationPattern, 'a number and a unit are expected: 90s, 30m, 12h or 7d')
      .default('24h')
      .describe('scheduled times that are older are missed, not served'),
  })
  .superRefine(({ cron, timezone }, context) => {
    const [path, message] = isZone(timezone)
      ? (['cron', mistakeIn(cron)] as const)
      : (['timezone', `there is no time zone ${timezone}`] as const)
    if (message !== undefined) context.addIssue({ code: 'custom', path: [path], message })
  })
  .optional()
  .describe('which times the runs are for; owm starts nothing by itself')

const every = z
  .string()
  .regex(durationPattern, { error: 'a number and a unit are expected: 10m, 6h or 1d', abort: true })
  .refine((text) => periodMs(text) !== undefined, `a period ${periodsInWords} is expected`)

const cadence = z
  .strictObject({
    default: every.optional().describe('how often a location is due for which nothing else says it; else in every run'),
    field: z.string().min(1).optional().describe('the field of a location that says how often: 10m, 1h, 6h, 1d'),
    rules: z
      .array(z.strictObject({ where: conditions.describe('which locations'), every: every.describe('how often') }))
      .default([])
      .describe('how often the locations are due that meet a condition; the first one that does counts'),
    spread: z
      .boolean()
      .default(false)
      .describe('each location has a phase of its own, so that the load is even; else all begin at 00:00 UTC'),
  })
  .optional()
  .describe('how often each location is due, where not in every run; needs `schedule`')

const least = (value: number) => z.number().int().min(value)

const plan = z
  .strictObject({
    callsPerTask: least(1).default(1).describe('calls of the weather API that a worker makes for one task'),
    freeCallsPerDay: least(0).default(0).describe('calls of a day that cost nothing'),
    pricePerCall: z.number().min(0).optional().describe('price of each further call, such as 0.0012'),
    currency: z.string().min(1).max(10).optional().describe('what the price is in, such as GBP'),
    limitPerMinute: least(1).optional().describe('calls a minute that the API allows'),
    limitPerDay: least(1).optional().describe('calls a day that the API allows'),
  })
  .optional()
  .describe("the weather API's limits and prices, for `owm plan`")

/** The sections that name no plugin. */
const common = {
  schedule,
  cadence,
  plan,
  metrics,
  notify,
  task,
  taskNamespace: z
    .string()
    .max(200)
    .default('')
    .describe(
      'a text that goes into each task id, so that pipelines with ids of one kind (1, 2, 3 …) can share a stream; ' +
        '`pipeline`: the name of the pipeline',
    ),
  outbox: z
    .strictObject({
      path: z.string().min(1).default(defaultOutbox).describe('file of the SQLite outbox'),
      keepTasks: z
        .number()
        .int()
        .min(0)
        .default(100_000)
        .describe('delivered tasks that are kept: a sink that lost tasks gets them again from these'),
      keepRuns: z.number().int().min(1).default(1_000).describe('finished runs that are kept in the ledger'),
      keepRejected: z
        .number()
        .int()
        .min(0)
        .default(10_000)
        .describe('rejected locations and duplicates that are kept to be looked at; the others are only counted'),
    })
    .prefault({})
    .describe('where tasks wait until they are delivered'),
  flush: z
    .strictObject({
      batchSize: z.number().int().min(1).max(10_000).default(500).describe('tasks in one atomic batch'),
    })
    .prefault({})
    .describe('how tasks are delivered'),
  retry: z
    .strictObject({
      attempts: z.number().int().min(1).max(100).default(8).describe('attempts in all'),
      initialDelayMs: milliseconds
        .default(1_000)
        .describe('bound of the first wait, in milliseconds; doubles each time, full jitter'),
      maxDelayMs: milliseconds.default(10_000).describe('bound of every wait, in milliseconds'),
    })
    .prefault({})
    .describe('how what failed and may work next time is tried again'),
  log: z
    .strictObject({
      format: z.enum(['words', 'json']).default('words').describe('form of the log on standard error'),
    })
    .prefault({})
    .describe('what is logged'),
  breaker: z
    .strictObject({
      failures: z.number().int().min(1).default(5).describe('failed attempts in a row that open the circuit'),
      resetAfterMs: milliseconds.default(30_000).describe('milliseconds until an open circuit is probed'),
    })
    .prefault({})
    .describe('when a sink or a source that keeps failing is left alone for a while'),
}

/** One pipeline, complete. */
export const settingsSchema = z.strictObject({
  source: plugin
    .extend(sourceKeys)
    .optional()
    .describe("where the locations come from; the plugin's own options stand beside `use`"),
  sink: plugin.extend(sinkKeys).optional().describe("where the tasks go; the plugin's own options stand beside `use`"),
  ...common,
})

/** The sections that pipelines share, or those of one pipeline: either may be incomplete. */
const partSchema = z.strictObject({
  source: plugin
    .partial()
    .extend(sourceKeys)
    .optional()
    .describe("where the locations come from; the plugin's own options stand beside `use`"),
  sink: plugin
    .partial()
    .extend(sinkKeys)
    .optional()
    .describe("where the tasks go; the plugin's own options stand beside `use`"),
  ...common,
})

/** A pipeline's name becomes part of its outbox's name. */
export const pipelineName = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

export type Settings = z.output<typeof settingsSchema>

type Part = z.input<typeof partSchema>

/** What a configuration file may export: one pipeline, or several with defaults beside `pipelines`. */
export type Config = { $schema?: string } & (
  | (z.input<typeof settingsSchema> & { pipelines?: undefined })
  | (Part & { pipelines: Readonly<Record<string, Part>> })
)

/** Types a configuration file: `export default defineConfig({…})`. */
export function defineConfig(config: Config): Config {
  return config
}
