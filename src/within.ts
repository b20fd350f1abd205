interface Deadline {
  readonly ms: number
  readonly late: () => Error
  readonly signal?: AbortSignal
  /** False where the process needn't be kept alive for it. */
  readonly ref?: boolean
}

/**
 * Waits at most `ms` milliseconds for work that may hang for ever, and not once the signal aborts. Throws what `late`
 * gives, the signal's reason, and what `work` throws.
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

/** The answer of `work`; undefined once `ms` milliseconds have passed, which keep no process alive. */
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
