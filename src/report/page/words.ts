/** Numbers and times as people read them. */
import type { PlaceState } from '../data.js'

// Re-exported, so that the page has one module for both.
export { count, plural } from '../../words.js'

/** `2026-11-26 10:00`, in UTC; the seconds only where there are some. */
export function time(iso: string): string {
  const [day = '', clock = ''] = iso.replace(/(\.\d+)?(Z|\+00:00)$/, '').split('T')
  return `${day} ${clock.replace(/^(\d\d:\d\d):00$/, '$1')}`.trim()
}

/** `1.4 s`, `12 min`, `3.5 h`, `2 d`; empty for NaN. */
export function duration(seconds: number): string {
  if (Number.isNaN(seconds)) return ''
  const units: [unit: string, size: number][] = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
  ]
  const [unit, size] = units.find(([, least]) => seconds >= 2 * least) ?? ['s', 1]
  const value = seconds / size
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`
}

/** `12.3457° N, 8.5° W` */
export function position(latitude: number, longitude: number): string {
  if (Number.isNaN(latitude) || Number.isNaN(longitude)) return ''
  const part = (degrees: number, positive: string, negative: string): string =>
    `${Number(Math.abs(degrees).toFixed(4))}° ${degrees < 0 ? negative : positive}`
  return `${part(latitude, 'N', 'S')}, ${part(longitude, 'E', 'W')}`
}

export const stateWords: Readonly<Record<PlaceState, { name: string; about: string }>> = {
  delivered: { name: 'Delivered', about: 'the newest task is in the sink' },
  pending: { name: 'Pending', about: 'stored, and not in the sink yet' },
  dead: { name: 'Dead', about: 'the sink refused the task' },
  rejected: { name: 'Rejected', about: 'the record could not become a task' },
  discarded: { name: 'Discarded', about: 'an operator gave the task up' },
  waiting: { name: 'No task yet', about: 'not due, or not read by a run that is still known' },
}

/** The words for a share of all, rounded down: `99.9 %` also where one of 100,000 is missing. */
export const share = (part: number, all: number): string =>
  all === 0 ? '0 %' : `${Math.floor((1000 * part) / all) / 10} %`
