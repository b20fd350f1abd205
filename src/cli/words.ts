/** The summaries of `produce` and `flush`, in words. */
import { count, plural } from './format.js'

interface Read {
  read: number
  leftOut?: number
  limitReached?: boolean
}

interface Delivered {
  name: string | null
  delivered: number
  deduplicated: number
  evicted: number
}

/** `50 locations read (950 left out by filters)` */
export function locationsRead({ read, leftOut = 0, limitReached = false }: Read): string {
  const filters = [
    ...(leftOut > 0 ? [`${count(leftOut)} left out by filters`] : []),
    ...(limitReached ? ['limit reached'] : []),
  ]
  return `${plural(read, 'location')} read${filters.length > 0 ? ` (${filters.join(', ')})` : ''}`
}

/** `20 tasks delivered to redis-stream, 3 were there already` */
export function tasksDelivered({ name, delivered, deduplicated, evicted }: Delivered): string[] {
  return [
    `${plural(delivered, 'task')} delivered to ${name}`,
    ...(deduplicated > 0 ? [`${count(deduplicated)} were there already`] : []),
    ...(evicted > 0 ? [`${count(evicted)} unread entries trimmed`] : []),
  ]
}
