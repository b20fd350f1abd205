/** Sends a start's outcome to everything that is configured. Each is independent; failures are only warnings. */
import { toError } from '../errors/index.js'
import type { Logger } from '../plugin.js'
import type { EndedAfter } from './ended.js'
import { eventsOf, ping, tell, told } from './notify.js'
import { abortedAfter } from './post.js'
import type { Metrics, Notify } from './settings.js'

export interface Means {
  readonly log: Logger
  /** Aborts everything. */
  readonly signal: AbortSignal
  /** The working directory of hooks' commands. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Writes the metrics file and pushes the metrics. */
export async function measure(
  { textfile, pushgateway, labels }: Metrics,
  ended: EndedAfter,
  { log, signal }: Means,
): Promise<void> {
  const { fileOfShard, push, registryOf, writeTextfile } = await import('./metrics.js')
  const allLabels = { pipeline: ended.pipeline, shard: ended.shard, ...labels }
  const registry = registryOf(ended, allLabels)
  const warn = (what: string) => (error: unknown) =>
    log.warn({ event: 'metrics-failed', reason: reasonOf(error, signal) }, `${what}; the run is not affected`)
  await Promise.all([
    textfile &&
      writeTextfile(fileOfShard(textfile, ended.shard), registry).catch(warn("metrics.textfile can't be written")),
    pushgateway && push(pushgateway, registry, allLabels, signal).catch(warn('metrics.pushgateway failed')),
  ])
}

/** Pings the check at the beginning of a start. Never throws. */
export async function pingStart({ ping: address, timeoutMs }: Notify, rid: string, means: Means): Promise<void> {
  if (address === undefined) return
  const signal = abortedAfter(timeoutMs, means.signal)
  await ping(address, 'start', { rid, body: '', signal }).catch(warnOf('notify.ping', signal, means))
}

/** Pings the check with the outcome and calls the hooks of the start's events. Never throws. */
export async function notify(
  { ping: address, on, timeoutMs }: Notify,
  ended: EndedAfter,
  rid: string,
  means: Means,
): Promise<void> {
  const signal = abortedAfter(timeoutMs, means.signal)
  const hooks = eventsOf(ended).flatMap((event) =>
    on[event].map(async (hook, index) =>
      tell(hook, told(event, ended), { ...means, signal }).catch(warnOf(`notify.on.${event}[${index}]`, signal, means)),
    ),
  )
  const { exitCode, summary: body } = ended
  const pinged = address && ping(address, exitCode, { rid, body, signal }).catch(warnOf('notify.ping', signal, means))
  await Promise.all([pinged, ...hooks])
}

const warnOf =
  (what: string, signal: AbortSignal, { log }: Means) =>
  (error: unknown): void =>
    log.warn({ event: 'notify-failed', reason: reasonOf(error, signal) }, `${what} failed; the run is not affected`)

/** Doesn't include the address, which may be a secret. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted || (error instanceof Error && error.name === 'AbortError')) return 'it took too long'
  return toError(error).message
}
