/** How a scheduler starts owm for one pipeline of one configuration. */
import { fieldsOf } from '../schedule/fields.js'
import { zone } from '../schedule/zone.js'

export interface Start {
  /** `owm`, or `owm-hourly` for the pipeline hourly: letters, digits, _ and -. */
  readonly name: string
  /** Absolute paths of Node and of owm's program. */
  readonly node: string
  readonly program: string
  /** Absolute paths of the working directory, as the user entered it, and of the configuration. */
  readonly folder: string
  readonly config: string
  /** The configuration as `--config` names it from there: the outbox's owner depends on it. */
  readonly named: string
  /** Whether that path of the working directory goes through a link. */
  readonly isLink: boolean
  /** The user who owns the outbox. */
  readonly user: string
  /** The flags after `produce --config NAMED`. */
  readonly flags: readonly string[]
  readonly schedule: { readonly cron: string; readonly timezone: string }
  /** Environment variables that the configuration reads. */
  readonly variables: readonly string[]
  /** systemd credentials that it reads. */
  readonly credentials: readonly string[]
  /** Other files that it reads secrets from. */
  readonly secretFiles: readonly string[]
  /** Folders that owm writes to, with `${NAME}` unexpanded. */
  readonly writes: readonly string[]
  /** Files that it writes besides the outbox. */
  readonly otherFiles: readonly string[]
  /** `source.shards`, and `source.shard`, such as 0/3 */
  readonly shards: number | undefined
  readonly shard: string | undefined
  /** Which shard it is, for a scheduler that doesn't tell. */
  readonly index: number | undefined
}

/** A file to install. */
export interface Part {
  readonly name: string
  readonly text: string
}

/** A start waits for the previous one, which may still be reading, but not for ever: starts would pile up. */
export const waiting: readonly string[] = ['--wait-for', '1h']

interface StartTimes {
  readonly hours: readonly number[]
  /** Whether they are needed even on days that the schedule doesn't name. */
  readonly onAllDays: boolean
}

/**
 * The hours of the day at which a start is needed. systemd and Kubernetes drop a time that a clock change skips, which
 * owm serves at the end of the gap: so a start is added in the first hour after it, which may be on the next day. After
 * the first hours of the night one is added in any zone, since laws change. On other days it ends at once.
 * @param now milliseconds since 1970
 */
export function startTimes({ cron, timezone }: Start['schedule'], now: number): StartTimes {
  const { hours, isFixed } = fieldsOf(cron)
  if (timezone === 'UTC' || !isFixed) return { hours, onAllDays: false }
  const skipped = zone(timezone).skipped(now)
  const behind = hours
    .filter((hour) => hour <= 3 || skipped.has(hour))
    .map((hour) => nextDay.map((more) => hour + more).find((one) => !skipped.has(one % 24)) ?? hour)
  const all = [...hours, ...behind.map((hour) => hour % 24)]
  return { hours: [...new Set(all)].sort((a, b) => a - b), onAllDays: behind.some((hour) => hour >= 24) }
}

const nextDay = Array.from({ length: 24 }, (_, hour) => hour + 1)

/** Words that need no quotes, in a shell or for systemd. */
const plain = /^[\w@+=:,./-]+$/

/** A word, quoted if needed. */
export const quoted = (word: string, quote: (word: string) => string): string => (plain.test(word) ? word : quote(word))

/** A word for the shell. A `\` precedes only a quote: crontabs have escapes of their own. */
export const inShell = (word: string): string =>
  quoted(word, () => `'${word.replace(/['\\]/g, (character) => (character === "'" ? `'"'"'` : "\\''"))}'`)

/** `*` for all of them. */
export const listed = (values: readonly number[], all: number): string =>
  values.length === all ? '*' : values.join(',')

/** Comment lines. */
export const comment = (...lines: readonly string[]): string => lines.map((line) => `# ${line}\n`).join('')
