interface Deadline {
  readonly ms: number
  readonly late: () => Error
  readonly signal?: AbortSignal
  /** Whether the timer keeps the process alive. Default: true. */
  readonly ref?: boolean
}

/**
 * Waits for work that may hang for ever: at most `ms` milliseconds, and until the signal aborts. Throws the error of
 * `late` then, or the signal's reason.
 */
export async function within<T>({ ms, late, signal, ref = true }: Deadline, work: Promise<T>): Promise<T> {
  let stop: (reason: unknown) => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    stop = reject
  })
  const timer = setTimeout(() => stop(late()), ms)
  if (!ref) timer.unref()
  const onAbort = (): void => stop(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    return await Promise.race([work, stopped])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The result of `work`; undefined after `ms` milliseconds. The timer doesn't keep the process alive. */
export async function orLate<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms).unref()
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
