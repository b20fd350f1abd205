/** An object of JSON or YAML: neither an array nor null. */
export type Tree = Record<string, unknown>

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object or an array. */
export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
