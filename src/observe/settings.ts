/** The configuration sections `metrics`, `notify` and `task` (trace context). */
import * as z from 'zod'

const isAddress = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
const address = z
  .string()
  .refine(isAddress, 'an address is expected that begins with http:// or https://')
  .meta({ secret: true })
const timeoutMs = z.number().int().min(1).max(300_000).meta({ unit: 'ms' })

/** Labels that owm or Prometheus sets. */
const ownLabels = /^(__.*|le|quantile|outcome|reason|group)$/

export const metrics = z
  .strictObject({
    textfile: z
      .string()
      .regex(/[^/]\.prom$/, 'a name that ends in .prom is expected: node_exporter reads no other')
      .optional()
      .describe("file for node_exporter's textfile collector; pipelines that share it, and shards, get one each"),
    pushgateway: z
      .strictObject({
        url: address.describe('address of the Pushgateway, with user and password where it wants them'),
        job: z
          .string()
          .regex(/^[^/]+$/, 'a name without a slash is expected')
          .default('owm')
          .describe('the label `job`'),
        timeoutMs: timeoutMs.default(5_000).describe('longest wait for its answer, in milliseconds'),
      })
      .optional()
      .describe('where metrics are pushed to, for machines that nobody scrapes'),
    labels: z
      .record(
        z
          .string()
          .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'a label has letters, digits and _, and begins with no digit')
          .refine((name) => !ownLabels.test(name), '__…, le, quantile, outcome, reason and group are taken'),
        z.string(),
      )
      .default({})
      .describe('more labels of each metric; `pipeline` may take the place of the name of the pipeline'),
  })
  .optional()
  .describe('metrics for Prometheus')

const hooks = z
  .array(
    z
      .strictObject({
        url: address.optional().describe('gets the event as JSON, by POST'),
        command: z
          .array(z.string())
          .min(1)
          .optional()
          .describe('a program and its arguments, without a shell; gets the event as JSON on standard input'),
      })
      .refine(
        ({ url, command }) => (url === undefined) !== (command === undefined),
        'either url or command is expected',
      ),
  )
  .default([])

/** Event -> when hooks are called. */
const notifyEvents = {
  failure: 'the exit code is not 0',
  recovered: 'the exit code is 0, and that of the start before it was not',
  missed: 'there are scheduled times that no run will serve',
  dead: 'the sink refused tasks for good',
  lost: 'the sink lost tasks that it had, and that are not delivered again',
  shrunk: 'the source has fewer locations than last time',
} as const

export type NotifyEvent = keyof typeof notifyEvents

const on = (event: NotifyEvent) => hooks.describe(`told when ${notifyEvents[event]}`)

export const notify = z
  .strictObject({
    ping: address
      .optional()
      .describe('address of a check, as healthchecks.io has them: pinged when a start begins, succeeds or fails'),
    on: z
      .strictObject({
        failure: on('failure'),
        recovered: on('recovered'),
        missed: on('missed'),
        dead: on('dead'),
        lost: on('lost'),
        shrunk: on('shrunk'),
      })
      .prefault({})
      .describe('who is told of which event'),
    timeoutMs: timeoutMs.default(10_000).describe('longest wait for a ping, a request or a command, in milliseconds'),
  })
  .optional()
  .describe('whom a start tells how it ended; never changes how it ends')

export const task = z
  .strictObject({
    traceparent: z
      .boolean()
      .default(false)
      .describe('each task bears a `traceparent` (W3C Trace Context): that of the start, or one of pipeline and slot'),
  })
  .prefault({})
  .describe('what tasks bear besides their location')

export type Metrics = NonNullable<z.output<typeof metrics>>
export type Notify = NonNullable<z.output<typeof notify>>
export type Hook = Notify['on']['failure'][number]
