/** Module hooks for plugins: what they import of owm is the owm that runs. */
interface Found {
  url: string
  shortCircuit?: boolean
}

let own: Readonly<Record<string, string>> = {}

/** @param modules specifier -> URL */
export function initialize(modules: Readonly<Record<string, string>>): void {
  own = modules
}

export function resolve<Context, Result>(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Result,
): Result | Found {
  const url = own[specifier]
  return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
}
