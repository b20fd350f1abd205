/** Module hooks that resolve plugins' imports of owm to the running one. */
interface Resolved {
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
): Result | Resolved {
  const url = own[specifier]
  return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
}
