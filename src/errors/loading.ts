/** Whose code is being loaded: it may end the process, or wait for ever, and an error then has to name it. */
const names = new Set<string>()

/** @param name `the source ./stations.mjs` */
export async function loadingAs<T>(name: string, load: () => Promise<T>): Promise<T> {
  names.add(name)
  try {
    return await load()
  } finally {
    names.delete(name)
  }
}

/** Undefined if nothing is being loaded. Two, if a source and a sink are. */
export const whatIsLoaded = (): string | undefined => [...names].join(' or ') || undefined
