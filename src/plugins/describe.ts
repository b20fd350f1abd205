/** From a plugin's schema to its options in words: for `owm plugins` and for the generated docs. */
import { stringify } from 'yaml'
import { z } from 'zod'

/** One option; options inside of options have dotted names, `pagination.limit`. */
export interface OptionRow {
  name: string
  /** In words: `integer, 1 to 500`, `trim or hold`, `list of objects`. */
  type: string
  /** `ms`, `degrees`: from `.meta({unit})`, or from a name that ends in Ms. */
  unit: string | null
  required: boolean
  /** Left out where there is none. */
  default?: unknown
  /** From `.meta({secret: true})`: what is set here is never shown. */
  secret: boolean
  description: string
}

type Node = z.core.JSONSchema.BaseSchema

/** All options of a schema, in its order, each followed by those inside of it. */
export function optionRows(schema: z.ZodType): OptionRow[] {
  const root = jsonSchemaOf(schema)
  return rowsIn(root, '', root, 0)
}

/** A section of a configuration that uses the plugin: what must be set, and as comments what may be. */
export function exampleOf(kind: 'source' | 'sink', use: string, schema: z.ZodType): string {
  const root = jsonSchemaOf(schema)
  const chosen = exampleObject(root)
  const lines = [
    `use: ${stringify(use).trimEnd()}`,
    ...Object.entries(chosen).flatMap(([name, value]) => yaml(name, value)),
  ]
  for (const [name, given] of Object.entries(root.properties ?? {})) {
    const { default: value } = nodeOf(given, root)
    if (!(name in chosen) && value !== undefined && !isEmptyObject(value))
      lines.push(...yaml(name, value).map((line) => `# ${line}`))
  }
  return [`${kind}:`, ...lines.map((line) => `  ${line}`)].join('\n')
}

/** The options of the example: the schema's own (`.meta({examples: [{…}]})`), or whatever is required. */
export function exampleOptions(schema: z.ZodType): Record<string, unknown> {
  return exampleObject(jsonSchemaOf(schema))
}

const jsonSchemaOf = (schema: z.ZodType): Node => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })

const yaml = (name: string, value: unknown): string[] =>
  stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n')

// --- rows ---

/** What calls itself would give rows for ever. */
const maxDepth = 3

function rowsIn(node: Node, prefix: string, root: Node, depth: number): OptionRow[] {
  if (depth > maxDepth) return []
  const rows: OptionRow[] = []
  for (const { name, of, required, only } of propertiesOf(node, root)) {
    const row: OptionRow = {
      name: `${prefix}${name}`,
      type: typeOf(of, root),
      unit: textOf(of['unit']) ?? (name.endsWith('Ms') ? 'ms' : null),
      required: required && only === undefined && of.default === undefined,
      secret: of['secret'] === true,
      description:
        `${only === undefined ? '' : `with \`${only}\`${required ? ', required' : ''}: `}${textOf(of.description) ?? ''}`.replace(
          /: $/,
          '',
        ),
    }
    if (of.default !== undefined && !isEmptyObject(of.default)) row.default = of.default
    rows.push(row, ...rowsIn(of, `${row.name}.`, root, depth + 1))
    for (const inner of [of, ...alternatives(of, root)]) {
      if (isNode(inner.items)) rows.push(...rowsIn(nodeOf(inner.items, root), `${row.name}[].`, root, depth + 1))
      if (isNode(inner.additionalProperties))
        rows.push(...rowsIn(nodeOf(inner.additionalProperties, root), `${row.name}.*.`, root, depth + 1))
    }
  }
  return rows
}

interface Property {
  name: string
  of: Node
  required: boolean
  /** In which alternative alone it stands: `type: page`. */
  only?: string | undefined
}

/** The properties of an object, or of all objects that it may be. */
function propertiesOf(node: Node, root: Node): Property[] {
  const own = Object.entries(node.properties ?? {}).map(([name, of]) => ({
    name,
    of: nodeOf(of, root),
    required: node.required?.includes(name) ?? false,
  }))
  const variants = alternatives(node, root).filter((variant) => variant.properties)
  const key = discriminator(variants, root)
  const merged = new Map<string, Property & { variants: unknown[] }>()
  for (const variant of variants) {
    const constant = key === undefined ? undefined : nodeOf(variant.properties?.[key], root).const
    for (const property of propertiesOf(variant, root)) {
      const { name, of } = property
      // Of one name, what differs has a row for each kind of object, where a constant tells these apart.
      const id = key === undefined || name === key ? name : `${name} ${JSON.stringify(of)}`
      const known = merged.get(id)
      if (!known) merged.set(id, { ...property, variants: [constant] })
      else {
        known.variants.push(constant)
        known.required &&= property.required
        if (JSON.stringify(known.of) !== JSON.stringify(of))
          known.of = {
            description: known.of.description ?? of.description,
            anyOf: [...(known.of.anyOf ?? [known.of]), of],
          }
      }
    }
  }
  for (const property of merged.values()) {
    const isEverywhere = property.variants.length === variants.length
    if (key !== undefined && !isEverywhere) property.only = `${key}: ${listed(property.variants.map(String))}`
    else if (!isEverywhere) property.required = false
  }
  return [...own, ...merged.values()]
}

/** The property that tells the alternatives apart: a constant in each of them. */
function discriminator(variants: readonly Node[], root: Node): string | undefined {
  const [first, ...others] = variants
  if (others.length === 0) return undefined
  return Object.keys(first?.properties ?? {}).find((name) =>
    variants.every((variant) => nodeOf(variant.properties?.[name], root).const !== undefined),
  )
}

function alternatives(node: Node, root: Node): Node[] {
  return [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])].map((one) => nodeOf(one, root))
}

/** Behind a reference, such as a schema has that holds itself. */
function nodeOf(given: unknown, root: Node): Node {
  if (!isNode(given)) return {}
  if (typeof given.$ref !== 'string') return given
  const found = given.$ref
    .split('/')
    .slice(1)
    .reduce<unknown>((at, part) => (isNode(at) ? at[part] : undefined), root)
  return { ...(isNode(found) ? found : {}), ...given, $ref: undefined }
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)
const isEmptyObject = (value: unknown): boolean => isNode(value) && Object.keys(value).length === 0
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

// --- types in words ---

const formats: Readonly<Record<string, string>> = { uri: 'URL', 'date-time': 'time' }

function typeOf(node: Node, root: Node): string {
  if (node.const !== undefined) return String(node.const)
  if (node.enum) return listed(node.enum.map(String))
  const others = alternatives(node, root)
  if (others.length > 0) {
    const variants = others.filter((other) => other.properties)
    const isNamed = discriminator(variants, root) !== undefined
    return listed(
      others.map((other) =>
        other.properties && !isNamed ? `{${Object.keys(other.properties).join(', ')}}` : typeOf(other, root),
      ),
    )
  }
  if (Array.isArray(node.type)) return listed(node.type.map((type: Node['type']) => typeOf({ ...node, type }, root)))
  switch (node.type) {
    case 'string':
      return formats[node.format ?? ''] ?? 'text'
    case 'integer':
    case 'number':
      return `${node.type}${range(node)}`
    case 'array':
      return isNode(node.items) ? `list of ${plural(typeOf(nodeOf(node.items, root), root))}` : 'list'
    case 'object':
      return isNode(node.additionalProperties) && !isEmptyObject(node.additionalProperties)
        ? `map of ${plural(typeOf(nodeOf(node.additionalProperties, root), root))}`
        : 'object'
    default:
      return node.type ?? 'any'
  }
}

const plural = (type: string): string =>
  type.replace(/^(integer|number|object|boolean|list)\b/, '$1s').replace('text', 'texts')

function listed(given: readonly string[]): string {
  const words = [...new Set(given)]
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Node): string {
  // zod's own bounds of an integer.
  const least = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}`
  const parts = [
    least === undefined ? '' : `, ${least} or more`,
    exclusiveMinimum === undefined ? '' : `, above ${exclusiveMinimum}`,
    most === undefined ? '' : `, at most ${most}`,
    exclusiveMaximum === undefined ? '' : `, below ${exclusiveMaximum}`,
  ]
  return parts.join('')
}

// --- examples ---

function exampleObject(node: Node): Record<string, unknown> {
  const [given] = node.examples ?? []
  if (isNode(given)) return { ...given }
  const needed = propertiesOf(node, node).filter(({ required, of }) => required && of.default === undefined)
  return Object.fromEntries(needed.map(({ name, of }) => [name, exampleValue(name, of)]))
}

function exampleValue(name: string, node: Node): unknown {
  const [given] = node.examples ?? []
  if (given !== undefined) return given
  if (node.const !== undefined) return node.const
  if (node.enum) return node.enum[0]
  if (node['secret'] === true) return `\${${name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()}}`
  if (Array.isArray(node.type)) return exampleValue(name, { ...node, type: node.type[0] })
  if (node.type === 'string') return node.format === 'uri' ? 'https://example.com' : '…'
  if (node.type === 'integer' || node.type === 'number') return node.minimum ?? 1
  if (node.type === 'boolean') return true
  if (node.type === 'array') return []
  const [first] = node.anyOf ?? node.oneOf ?? []
  return isNode(first) ? exampleValue(name, first) : exampleObject(node)
}
