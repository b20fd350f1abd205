/** Walks a zod schema as JSON Schema: which keys it has, and what they may hold. */
import * as z from 'zod'
import { compact } from '../lists.js'
import { isTree } from '../tasks/json/tree.js'

export type Node = z.core.JSONSchema.BaseSchema

/** The JSON Schema of a schema's input, with the marks of `.meta({unit, secret})`. */
const jsonSchemaOf = (schema: z.ZodType): Node => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })

export const isNode = (value: unknown): value is Node => isTree(value)

/** A property of an object, or of some of the objects that a value may be. */
interface Property {
  readonly name: string
  readonly place: SchemaPlace
  readonly required: boolean
  /** The alternatives that have it, if not all do: `type: page`. */
  readonly only?: string | undefined
}

/** One place in a schema: a node, with the root that its references lead into. */
export class SchemaPlace {
  readonly node: Node
  readonly #root: Node

  constructor(given: unknown, root: Node) {
    this.#root = root
    this.node = dereferenced(given, root)
  }

  static of(schema: z.ZodType): SchemaPlace {
    const root = jsonSchemaOf(schema)
    return new SchemaPlace(root, root)
  }

  /** The root of a schema, as a list of one; empty if it can't be converted, so that nothing in it is known. */
  static rootOf(schema: z.ZodType): SchemaPlace[] {
    try {
      return [SchemaPlace.of(schema)]
    } catch {
      return []
    }
  }

  get isSecret(): boolean {
    return this.node['secret'] === true || this.alternatives.some(({ isSecret }) => isSecret)
  }

  /** The parts of a union or an intersection. */
  get alternatives(): SchemaPlace[] {
    const { anyOf = [], oneOf = [], allOf = [] } = this.node
    return [...anyOf, ...oneOf, ...allOf].map((one) => this.#place(one))
  }

  /** The entries of a list. */
  get items(): SchemaPlace | undefined {
    return isNode(this.node.items) ? this.#place(this.node.items) : undefined
  }

  /** The values of an object under keys that aren't its properties. */
  get others(): SchemaPlace | undefined {
    const { additionalProperties } = this.node
    return isNode(additionalProperties) ? this.#place(additionalProperties) : undefined
  }

  /** The keys that are known here, in any alternative. */
  get keys(): string[] {
    const own = Object.keys(this.node.properties ?? {})
    return [...new Set([...own, ...this.alternatives.flatMap(({ keys }) => keys)])]
  }

  /** Whether it lists the keys that are allowed here. */
  get hasKeys(): boolean {
    return this.node.properties !== undefined || this.alternatives.some(({ hasKeys }) => hasKeys)
  }

  /** The places that a path may lead to: several if there are alternatives, none if nothing is known. */
  at(path: readonly string[]): SchemaPlace[] {
    const [part, ...rest] = path
    return part === undefined ? [this] : this.#under(part).flatMap((place) => place.at(rest))
  }

  /** Where a part of a value leads that may be at several places. */
  static under(places: readonly SchemaPlace[], part: string): SchemaPlace[] {
    return places.flatMap((place) => place.#under(part))
  }

  #under(part: string): SchemaPlace[] {
    const { properties = {}, prefixItems } = this.node
    const entry: unknown = Array.isArray(prefixItems) ? prefixItems[Number(part)] : undefined
    const own = Object.hasOwn(properties, part)
      ? this.#place(properties[part])
      : isNode(entry)
        ? this.#place(entry)
        : (this.items ?? this.others)
    return compact(own && own, ...this.alternatives.flatMap((place) => place.#under(part)))
  }

  /** The properties of an object, or of all objects that the value may be. */
  get properties(): Property[] {
    const own = Object.entries(this.node.properties ?? {}).map(([name, node]) => ({
      name,
      place: this.#place(node),
      required: this.node.required?.includes(name) ?? false,
    }))
    return [...own, ...this.#propertiesOfAlternatives()]
  }

  #propertiesOfAlternatives(): Property[] {
    const variants = this.alternatives.filter(({ node }) => node.properties)
    const key = discriminator(variants)
    const merged = new Map<string, { name: string; place: SchemaPlace; required: boolean; constants: string[] }>()
    for (const variant of variants) {
      const constant = key === undefined ? '' : String(variant.constantOf(key))
      for (const { name, place, required } of variant.properties) {
        // Differing properties of one name have a row for each kind of object, if a constant distinguishes the kinds.
        const id = key === undefined || name === key ? name : `${name} ${JSON.stringify(place.node)}`
        const known = merged.get(id)
        if (known) {
          known.constants.push(constant)
          known.required &&= required
          known.place = known.place.#or(place)
        } else merged.set(id, { name, place, required, constants: [constant] })
      }
    }
    return [...merged.values()].map(({ name, place, required, constants }) => {
      if (constants.length === variants.length) return { name, place, required }
      return key === undefined
        ? { name, place, required: false }
        : { name, place, required, only: `${key}: ${listed(constants)}` }
    })
  }

  /** The constant under a key; undefined if there is none. */
  constantOf(key: string): unknown {
    return this.#place(this.node.properties?.[key]).node.const
  }

  #or({ node }: SchemaPlace): SchemaPlace {
    if (JSON.stringify(this.node) === JSON.stringify(node)) return this
    const description = this.node.description ?? node.description
    return this.#place({
      ...(description !== undefined && { description }),
      anyOf: [...(this.node.anyOf ?? [this.node]), node],
    })
  }

  #place(node: unknown): SchemaPlace {
    return new SchemaPlace(node, this.#root)
  }
}

/** The property that distinguishes alternatives: a constant in each of them. */
export function discriminator(variants: readonly SchemaPlace[]): string | undefined {
  const [first, ...others] = variants
  if (others.length === 0) return undefined
  return Object.keys(first?.node.properties ?? {}).find((name) =>
    variants.every((variant) => variant.constantOf(name) !== undefined),
  )
}

/** `a`, `a or b`, `a, b or c`; without duplicates. */
export function listed(given: readonly string[]): string {
  const words = [...new Set(given)]
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** Follows a reference, as in recursive schemas. */
function dereferenced(node: unknown, root: Node): Node {
  if (!isNode(node)) return {}
  if (typeof node.$ref !== 'string') return node
  const target = node.$ref
    .split('/')
    .slice(1)
    .reduce<unknown>((at, part) => (isNode(at) ? at[part] : undefined), root)
  return { ...(isNode(target) ? target : {}), ...node, $ref: undefined }
}
