/** Flags that several commands share, and how their values are read. */
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors/index.js'
import { durationMs } from '../schedule/duration.js'
import { normalSlot } from '../tasks/slot.js'

export const dryRun = (description: string) => Flags.boolean({ char: 'n', description })

/** Bounds of the flags that limit a count. The maximum is small enough for the database. */
export const limits = { min: 1, max: 1_000_000_000 } as const

/** For commands that read the source, or say what a start would read. */
export const shard = Flags.string({ description: 'read only the share i of n, such as 0/3', helpValue: 'I/N' })
export const strict = Flags.boolean({ description: 'exit 65 when a location was rejected' })
export const forceSource = Flags.boolean({ description: 'read the source even if its circuit is open' })

export const runToChange = (description: string) => Flags.string({ description, helpValue: 'ID' })

/**
 * For commands that somebody runs by hand: an empty flag, from an unset variable in a script, would choose everything,
 * or the default outbox. For `produce` and its like it counts as not given, as templates of schedulers write it.
 */
export function mustNotBeEmpty(flags: Readonly<Record<string, unknown>>): void {
  const empty = Object.keys(flags).find((name) => flags[name] === '')
  if (empty === undefined) return
  throw new UsageError(`--${empty} is empty.`, { hint: 'Is a variable not set? Set it, or leave the flag out.' })
}

/** For commands that change the outbox. */
export const waiting = {
  wait: Flags.boolean({ description: 'wait while another owm holds the outbox' }),
  'wait-for': Flags.string({
    description: 'the same, at most this long, such as 90s or 10m',
    helpValue: 'DURATION',
  }),
}

export interface WaitFlags {
  wait: boolean
  'wait-for'?: string | undefined
}

/** Milliseconds: 0 without either flag. Throws UsageError. */
export function waitMsOf(flags: WaitFlags): number {
  const bound = flags['wait-for']
  if (bound !== undefined) return durationOf('--wait-for', bound)
  return flags.wait ? Number.POSITIVE_INFINITY : 0
}

/** Milliseconds of `90s`, `30m`, `12h` or `7d`. Throws UsageError. */
export function durationOf(flag: string, text: string): number {
  const milliseconds = durationMs(text)
  if (milliseconds !== undefined) return milliseconds
  throw new UsageError(`${flag} ${text} is not a duration.`, {
    hint: 'A number and a unit are expected: 90s, 30m, 12h or 7d.',
  })
}

/** A slot, in the form in which owm writes it. Throws UsageError. */
export function slotNamed(flag: string, text: string): string {
  const slot = normalSlot(text)
  if (slot !== undefined) return slot
  throw new UsageError(`${flag} ${text} is not a time.`, {
    hint: 'ISO 8601 with a zone is expected, such as 2026-11-23T10:00:00Z.',
  })
}
