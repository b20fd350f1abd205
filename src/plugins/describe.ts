/** Describes the options in a plugin's schema: for `owm plugins` and the generated docs. */
import { stringify } from 'yaml'
import type * as z from 'zod'
import { compact } from '../lists.js'
import { discriminator, isNode, listed, type Node, SchemaPlace } from './schema.js'

/** One option; nested options have dotted names: `pagination.limit`. */
export interface OptionRow {
  name: string
  /** In words: `integer, 1 to 500`, `trim or hold`, `list of objects`. */
  type: string
  /** `ms`, `degrees`: from `.meta({unit})`, or from a name that ends in Ms. */
  unit: string | null
  required: boolean
  /** Left out if there is none. */
  default?: unknown
  /** From `.meta({secret: true})`: what is set here is never shown. */
  secret: boolean
  description: string
}

/** All options of a schema, in its order, each followed by those inside it. */
export function optionRows(schema: z.ZodType): OptionRow[] {
  return rowsIn(SchemaPlace.of(schema), '', 0)
}

/** A section of a configuration that uses the plugin: what must be set, and defaults as comments. */
export function exampleOf(kind: 'source' | 'sink', use: string, schema: z.ZodType): string {
  const root = SchemaPlace.of(schema)
  const chosen = exampleObject(root)
  const lines = [
    `use: ${stringify(use).trimEnd()}`,
    ...Object.entries(chosen).flatMap(([name, value]) => yaml(name, value)),
  ]
  for (const name of Object.keys(root.node.properties ?? {})) {
    const { default: value } = root.at([name])[0]?.node ?? {}
    if (!(name in chosen) && value !== undefined && !isEmptyObject(value))
      lines.push(...yaml(name, value).map((line) => `# ${line}`))
  }
  return [`${kind}:`, ...lines.map((line) => `  ${line}`)].join('\n')
}

/** The options of the example: the schema's own (`.meta({examples: [{…}]})`), or those that are required. */
export const exampleOptions = (schema: z.ZodType): Record<string, unknown> => exampleObject(SchemaPlace.of(schema))

const yaml = (name: string, value: unknown): string[] =>
  stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n')

// --- rows ---

/** A recursive schema would have endless rows. */
const maxDepth = 3

function rowsIn(place: SchemaPlace, prefix: string, depth: number): OptionRow[] {
  if (depth > maxDepth) return []
  return place.properties.flatMap(({ name, place, required, only }) => {
    const { node } = place
    const row: OptionRow = {
      name: `${prefix}${name}`,
      type: typeOf(place),
      unit: textOrNone(node['unit']) ?? (name.endsWith('Ms') ? 'ms' : null),
      required: required && only === undefined && node.default === undefined,
      secret: node['secret'] === true,
      description: descriptionOf(textOrNone(node.description) ?? '', required, only),
    }
    if (node.default !== undefined && !isEmptyObject(node.default)) row.default = node.default
    const inner = [place, ...place.alternatives].flatMap(({ items, others }) => [
      ...(items ? rowsIn(items, `${row.name}[].`, depth + 1) : []),
      ...(others ? rowsIn(others, `${row.name}.*.`, depth + 1) : []),
    ])
    return [row, ...rowsIn(place, `${row.name}.`, depth + 1), ...inner]
  })
}

function descriptionOf(own: string, required: boolean, only: string | undefined): string {
  if (only === undefined) return own
  return `with \`${only}\`${required ? ', required' : ''}${own === '' ? '' : `: ${own}`}`
}

const isEmptyObject = (value: unknown): boolean => isNode(value) && Object.keys(value).length === 0
const textOrNone = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

// --- types in words ---

const formats: Readonly<Record<string, string>> = { uri: 'URL', 'date-time': 'time' }

function typeOf(place: SchemaPlace): string {
  const { node, alternatives, items, others } = place
  if (node.const !== undefined) return String(node.const)
  if (node.enum) return listed(node.enum.map(String))
  if (alternatives.length > 0) {
    const isNamed = discriminator(alternatives.filter((other) => other.node.properties)) !== undefined
    return listed(
      alternatives.map((other) => {
        const { properties } = other.node
        return properties && !isNamed ? `{${Object.keys(properties).join(', ')}}` : typeOf(other)
      }),
    )
  }
  if (Array.isArray(node.type)) return listed(node.type.map((type: string) => simpleType(node, type)))
  if (node.type === 'array') return items ? `list of ${plural(typeOf(items))}` : 'list'
  if (node.type === 'object' && others && !isEmptyObject(others.node)) return `map of ${plural(typeOf(others))}`
  return simpleType(node, node.type)
}

function simpleType(node: Node, type: string | undefined): string {
  if (type === 'string') return formats[node.format ?? ''] ?? 'text'
  if (type === 'integer' || type === 'number') return `${type}${range(node)}`
  return type ?? 'any'
}

const plural = (type: string): string =>
  type.replace(/^(integer|number|object|boolean|list)\b/, '$1s').replace('text', 'texts')

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Node): string {
  // zod's own bounds for an integer say nothing.
  const least = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}`
  return compact(
    least !== undefined && `, ${least} or more`,
    exclusiveMinimum !== undefined && `, above ${exclusiveMinimum}`,
    most !== undefined && `, at most ${most}`,
    exclusiveMaximum !== undefined && `, below ${exclusiveMaximum}`,
  ).join('')
}

// --- examples ---

function exampleObject(place: SchemaPlace): Record<string, unknown> {
  const [given] = place.node.examples ?? []
  if (isNode(given)) return { ...given }
  const needed = place.properties.filter(({ required, place }) => required && place.node.default === undefined)
  return Object.fromEntries(needed.map(({ name, place }) => [name, exampleValue(name, place)]))
}

function exampleValue(name: string, place: SchemaPlace): unknown {
  const { node, alternatives } = place
  const [given] = node.examples ?? []
  if (given !== undefined) return given
  if (node.const !== undefined) return node.const
  if (node.enum) return node.enum[0]
  if (node['secret'] === true) return `\${${name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()}}`
  const type: unknown = Array.isArray(node.type) ? node.type[0] : node.type
  if (type === 'string') return node.format === 'uri' ? 'https://example.com' : '…'
  if (type === 'integer' || type === 'number') return node.minimum ?? 1
  if (type === 'boolean') return true
  if (type === 'array') return []
  const [first] = alternatives
  return first ? exampleValue(name, first) : exampleObject(place)
}
