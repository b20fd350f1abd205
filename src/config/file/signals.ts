/** Signals during work that keeps the event loop from turning for seconds, such as parsing megabytes of YAML. */
import { setImmediate } from 'node:timers/promises'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Does such work without the process's listeners, which would hear a signal only afterwards: the kernel ends the
 * process instead. Only for what leaves nothing to put in order. Process 1 of a container keeps its listeners, since
 * the kernel drops a signal for which it has none.
 */
export async function endedBySignals<T>(work: () => Promise<T>): Promise<T> {
  if (process.pid === 1) return work()
  // Two turns: in between the loop looks for signals that have come, which would be lost with their listeners.
  for (let turn = 0; turn < 2; turn++) await setImmediate()
  const taken = signals.flatMap((signal) => process.listeners(signal).map((listener) => ({ signal, listener })))
  for (const { signal, listener } of taken) process.off(signal, listener)
  try {
    return await work()
  } finally {
    for (const { signal, listener } of taken) process.on(signal, listener)
  }
}
