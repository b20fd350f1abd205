/** Durations as people write them: `90s`, `30m`, `12h` or `7d`. */
export const durationPattern = /^(\d+)([smhd])$/

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds; undefined if the text is no duration. */
export function durationMs(text: string): number | undefined {
  const size = units[text.at(-1) ?? '']
  return size === undefined || !durationPattern.test(text) ? undefined : Number.parseInt(text, 10) * size
}

/** A duration as people write it, in the largest unit that divides it: `90m`, `6h`, `1d`. */
export function durationText(milliseconds: number): string {
  const [unit = 's', size = 1_000] = Object.entries(units).findLast(([, each]) => milliseconds % each === 0) ?? []
  return `${milliseconds / size}${unit}`
}
