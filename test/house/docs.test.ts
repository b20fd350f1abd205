import { expect, it } from 'vitest'
import { z } from 'zod'
import { exampleOptions, optionRows } from '../../src/plugins/describe.js'
import { sinks } from '../../src/sinks/index.js'
import { sources } from '../../src/sources/index.js'

it.each(Object.entries({ ...sources, ...sinks }))(
  '%s: each option is described, and the example is a good configuration',
  async (_, load) => {
    const { options } = (await load()).default
    expect(optionRows(options).filter(({ name, description }) => description === '' && !/[.[]/.test(name))).toEqual([])
    expect(options.safeParse(exampleOptions(options))).toMatchObject({ success: true })
  },
)

it('tells every kind of schema in words', () => {
  const page = z.strictObject({ type: z.literal('page'), limit: z.int().min(1).default(100) })
  const cursor = z.strictObject({ type: z.literal('cursor'), limit: z.int().min(1).default(100), path: z.string() })
  const link = z.strictObject({ type: z.literal('link') })
  const tree: z.ZodType = z.strictObject({
    get inner() {
      return tree.optional()
    },
  })
  const rows = optionRows(
    z
      .strictObject({
        paging: z.discriminatedUnion('type', [page, cursor, link]).optional(),
        auth: z
          .union([
            z.strictObject({ token: z.string().meta({ secret: true }) }),
            z.strictObject({ user: z.string(), password: z.string() }),
          ])
          .optional(),
        where: z.union([z.string(), z.array(z.string())]).optional(),
        headers: z.record(z.string(), z.string()).default({}),
        box: z.tuple([z.number(), z.number()]).optional(),
        rules: z.array(z.strictObject({ match: z.string().describe('what | or') })).optional(),
        share: z.number().gt(0).max(1).nullable().default(null),
        both: z
          .object({ a: z.string() })
          .and(z.object({ b: z.string() }))
          .optional(),
        date: z.date().optional(),
        text: z.string().transform(Number).optional(),
        tree: tree.optional(),
      })
      .refine(() => true),
  )
  const shown = rows
    .filter(({ name }) => !name.startsWith('tree.'))
    .map(({ name, type, required, description }) => [name, type, required, description])
  expect(shown).toEqual([
    ['paging', 'object', false, ''],
    ['paging.type', 'page, cursor or link', true, ''],
    ['paging.limit', 'integer, 1 or more', false, 'with `type: page or cursor`'],
    ['paging.path', 'text', false, 'with `type: cursor`, required'],
    ['auth', '{token} or {user, password}', false, ''],
    ['auth.token', 'text', false, ''],
    ['auth.user', 'text', false, ''],
    ['auth.password', 'text', false, ''],
    ['where', 'text or list of texts', false, ''],
    ['headers', 'map of texts', false, ''],
    ['box', 'list', false, ''],
    ['rules', 'list of objects', false, ''],
    ['rules[].match', 'text', true, 'what | or'],
    ['share', 'number, above 0, at most 1 or null', false, ''],
    ['both', 'object', false, ''],
    ['both.a', 'text', true, ''],
    ['both.b', 'text', true, ''],
    ['date', 'any', false, ''],
    ['text', 'text', false, ''],
    ['tree', 'object', false, ''],
  ])
  expect(rows.filter(({ secret }) => secret).map(({ name }) => name)).toEqual(['auth.token'])
  expect(rows.length, 'what holds itself ends').toBeLessThan(40)
})
