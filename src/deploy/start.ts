/** How a scheduler starts owm for one pipeline of one configuration: what the text for each of them is made of. */
import { fieldsOf } from '../schedule/fields.js'
import { zone } from '../schedule/zone.js'

export interface Start {
  /** `owm`, or `owm-hourly` for the pipeline hourly: letters, digits, _ and -. */
  readonly name: string
  /** Absolute paths of Node and of owm's program. */
  readonly node: string
  readonly program: string
  /** Absolute paths of the working directory, by the name that the user entered it by, and of the configuration. */
  readonly folder: string
  readonly config: string
  /** The configuration as `--config` names it from there: whose the outbox is depends on it. */
  readonly named: string
  /** Whether the working directory has another name. */
  readonly isLink: boolean
  /** The user who owns the outbox. */
  readonly user: string
  /** What stands behind `produce --config NAMED`. */
  readonly flags: readonly string[]
  readonly schedule: { readonly cron: string; readonly timezone: string }
  /** Names of the environment's variables that the configuration reads. */
  readonly variables: readonly string[]
  /** Names of systemd's credentials that it reads. */
  readonly credentials: readonly string[]
  /** Paths of other files that it reads secrets from. */
  readonly secretFiles: readonly string[]
  /** Folders that owm writes to; with `${NAME}` where the configuration has one. */
  readonly writes: readonly string[]
  /** Files that it writes besides the outbox. */
  readonly otherFiles: readonly string[]
  /** `source.shards`, and `source.shard`, such as 0/3 */
  readonly shards: number | undefined
  readonly shard: string | undefined
}

/** A text that somebody installs, and the name of its file. */
export interface Part {
  readonly name: string
  readonly text: string
}

/** A start waits for the one before it, which may still read: not for ever, or they would pile up. */
export const waiting: readonly string[] = ['--wait-for', '1h']

interface StartTimes {
  readonly hours: readonly number[]
  /** Whether they are needed on days that the schedule doesn't name, too. */
  readonly onAllDays: boolean
}

/**
 * The hours of the day at which a start is needed. systemd and Kubernetes leave out a time that a change of the clocks
 * skips, which owm serves at the end of the gap: so a start comes in the first hour behind it, which may be the next
 * day's. Behind the first hours of the night one comes in any zone: laws change. On other days it ends at once.
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

/** What a shell and systemd take as it stands. */
const plain = /^[\w@+=:,./-]+$/

/** A word, in the quotes that it needs. */
export const quoted = (word: string, quote: (word: string) => string): string => (plain.test(word) ? word : quote(word))

/** A word for the shell. No `\` stands before any character but a quote: crontabs have escapes of their own. */
export const inShell = (word: string): string =>
  quoted(word, () => `'${word.replace(/['\\]/g, (one) => (one === "'" ? `'"'"'` : "\\''"))}'`)

/** `*` for all of them. */
export const listed = (values: readonly number[], all: number): string =>
  values.length === all ? '*' : values.join(',')

/** Lines of a comment: each with `# ` before it. */
export const comment = (...lines: readonly string[]): string => lines.map((line) => `# ${line}\n`).join('')
