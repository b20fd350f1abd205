/** Milliseconds that a server gets to say by itself that a statement takes too long. */
export const graceMs = 2_000

/**
 * Waits at most `ms` milliseconds for a driver's answer, and not once the signal aborts: a driver may wait for a silent
 * server for ever. Throws what `late` gives, the signal's reason, and what `work` throws.
 */
export async function within<T>(
  { ms, signal, late }: { ms: number; signal: AbortSignal; late: () => Error },
  work: Promise<T>,
): Promise<T> {
  let stop: (reason: unknown) => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    stop = reject
  })
  const timer = setTimeout(() => stop(late()), ms)
  const onAbort = (): void => stop(signal.reason)
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([work, stopped])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
