/** The JSON Schema of a configuration file with the built-in plugins' options: editors complete and check it. */
import * as z from 'zod'
import { builtIns, type Plugin } from '../plugins/load.js'
import { pipelineName, settingsSchema, sinkKeys, sourceKeys } from './schema.js'
import { referencePattern } from './values/variables.js'

type Schema = z.core.JSONSchema.BaseSchema
type Properties = Record<string, z.core.JSONSchema._JSONSchema>

/** Draft 7, which editors support best. */
export async function configSchema(): Promise<Schema> {
  const { properties: sections = {} } = schemaOf(settingsSchema)
  const kinds: Kind[] = [
    { name: 'source', keys: sourceKeys, plugins: await builtIns('source'), description: described(sections['source']) },
    { name: 'sink', keys: sinkKeys, plugins: await builtIns('sink'), description: described(sections['sink']) },
  ]
  const others = Object.fromEntries(Object.entries(sections).filter(([name]) => name !== 'source' && name !== 'sink'))
  const ref = (name: string): Schema => ({ $ref: `#/definitions/${name}` })
  const parts = { source: ref('sourcePart'), sink: ref('sinkPart') }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'owm',
    description: 'the configuration of owm: .owmrc.yaml and the like',
    type: 'object',
    properties: {
      $schema: { type: 'string', description: 'for editors: the path to this schema' },
      source: true,
      sink: true,
      ...others,
      pipelines: {
        type: 'object',
        description: 'several pipelines by name; the sections beside this one are defaults for all of them',
        propertyNames: { pattern: pipelineName.source },
        additionalProperties: {
          type: ['object', 'null'],
          properties: { ...parts, ...refs(others, '#/properties') },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
    // Sections that pipelines share may be incomplete.
    if: { required: ['pipelines'] },
    // biome-ignore lint/suspicious/noThenProperty: that is its name in JSON Schema
    then: { properties: parts },
    else: { properties: { source: ref('source'), sink: ref('sink') } },
    definitions: Object.fromEntries(
      kinds.flatMap((kind) => [
        [`${kind.name}Keys`, { properties: schemaOf(z.object(kind.keys)).properties }],
        [kind.name, sectionOf(kind, true)],
        [`${kind.name}Part`, sectionOf(kind, false)],
      ]),
    ),
  }
}

interface Kind {
  name: 'source' | 'sink'
  /** The keys that every section of this kind may have. */
  keys: z.ZodRawShape
  plugins: readonly Plugin[]
  description: string
}

/** One form for each built-in plugin, distinguished by `use`, and an open one for all others. */
function sectionOf({ name, keys, plugins, description }: Kind, isComplete: boolean): Schema {
  const common = refs(keys, `#/definitions/${name}Keys/properties`)
  const builtIn = plugins.map((plugin): Schema => {
    const { properties, required = [], additionalProperties } = schemaOf(plugin.options)
    const use = { const: plugin.name, description: plugin.description }
    return {
      title: plugin.name,
      type: 'object',
      properties: { use, ...common, ...properties },
      required: ['use', ...(isComplete ? required : [])],
      ...(additionalProperties === undefined ? {} : { additionalProperties }),
    }
  })
  const use: Schema = {
    type: 'string',
    minLength: 1,
    not: { enum: plugins.map(({ name }) => name) },
    description: 'a package, or a path to a module',
  }
  const other: Schema = { title: 'another plugin', type: 'object', properties: { use, ...common }, required: ['use'] }
  const shared: Schema = { title: 'as the pipelines share it', type: 'object', properties: { use: false, ...common } }
  return { description, anyOf: [...builtIn, other, ...(isComplete ? [] : [shared])] }
}

const refs = (properties: object, from: string): Properties =>
  Object.fromEntries(Object.keys(properties).map((name) => [name, { $ref: `${from}/${name}` }]))

const described = (schema: z.core.JSONSchema._JSONSchema | undefined): string =>
  typeof schema === 'object' ? (schema.description ?? '') : ''

function schemaOf(type: z.ZodType): Schema {
  const schema = z.toJSONSchema(type, {
    target: 'draft-07',
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      // owm's own marks, and bounds that only say what a double can hold, are left out.
      for (const key of ['unit', 'secret', 'keepsCheckpoint']) delete jsonSchema[key]
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      const { pattern, format } = jsonSchema
      if (pattern === undefined && format === undefined) return
      // A reference to a file or variable may stand for any text.
      delete jsonSchema.pattern
      delete jsonSchema.format
      jsonSchema.anyOf = [
        { ...(pattern === undefined ? {} : { pattern }), ...(format === undefined ? {} : { format }) },
        { pattern: referencePattern },
      ]
    },
  })
  delete schema.$schema
  return schema
}
