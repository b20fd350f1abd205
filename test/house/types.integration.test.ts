/** What a plugin's author writes, as TypeScript sees it: the built package by its name, strict, nothing else there. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'

const plugin = `
import { ConfigurationError, defineConfig, defineSink, defineSource, TransientError, z } from 'owm-producer'
import type { Location, Outcome } from 'owm-producer'
import { type Check, sinkChecks, sourceChecks } from 'owm-producer/testing'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => undefined

export const source = defineSource({
  name: 'typed',
  description: 'its options are known by their schema',
  options: z.strictObject({
    url: z.url().describe('of the service'),
    pageSize: z.number().int().default(100).describe('locations a page'),
    order: z.enum(['up', 'down']).optional().describe('which way'),
    auth: z.strictObject({ token: z.string() }).optional(),
  }),
  async open(options, { attempt, baseDir, log, signal }) {
    type Auth = { token: string }
    same<
      typeof options,
      { url: string; pageSize: number; order?: 'up' | 'down' | undefined; auth?: Auth | undefined }
    >(true)
    same<typeof signal, AbortSignal>(true)
    log.info({ baseDir }, 'opened')
    // @ts-expect-error there is no such option
    options.nope
    // @ts-expect-error it may be missing
    options.auth.token
    return {
      total: 1,
      async *read(resume) {
        same<typeof resume, string | undefined>(true)
        const locations = await attempt(
          async (): Promise<Location[]> => [{ city: 'x', latitude: 1, longitude: 2, anything: options.url }],
        )
        if (resume === 'bad') throw new TransientError('later', { hint: 'wait' })
        yield { locations, resume: String(options.pageSize), position: (index) => 'page ' + index.toFixed() }
      },
    }
  },
})

export const sink = defineSink({
  name: 'typed',
  description: 'likewise',
  options: z.strictObject({ path: z.string() }),
  open({ path }) {
    if (path === '') throw new ConfigurationError('no path', { hint: 'Name one.' })
    return {
      guarantee: 'at-least-once',
      async deliver({ tasks, firstSeq, outboxId, runId }) {
        same<typeof firstSeq, number>(true)
        same<typeof tasks, readonly string[]>(true)
        const isEmpty = (task: string) => task.length + outboxId.length + runId.length === 0
        return tasks.map((task): Outcome => (isEmpty(task) ? { refused: 'empty' } : 'delivered'))
      },
    }
  },
})

export const checks: Check[] = [
  ...sourceChecks({ plugin: source, module: import.meta.url, options: { url: 'https://example.com' }, count: 1 }),
  ...sinkChecks({ plugin: sink, options: { path: 'x' }, arrived: async () => [] }),
]

export const config = defineConfig({ source: { use: 'typed', url: 'https://example.com' }, flush: { batchSize: 100 } })

const open = { options: z.strictObject({}), name: 'bad', description: 'bad' }
// @ts-expect-error a source opens as something with a read()
defineSource({ ...open, open: () => ({}) })
// @ts-expect-error resume is text
defineSource({ ...open, open: () => ({ async *read() { yield { locations: [], resume: 1, position: () => '' } } }) })
// @ts-expect-error position is a function
defineSource({ ...open, open: () => ({ async *read() { yield { locations: [], resume: '' } } }) })
const oslo = { locations: ['Oslo'], resume: '', position: () => '' }
// @ts-expect-error a location is an object
defineSource({ ...open, open: () => ({ async *read() { yield oslo } }) })
// @ts-expect-error options are a schema
defineSource({ ...open, options: { url: 'text' }, open: () => ({ async *read() {} }) })
// @ts-expect-error a plugin has a name
defineSource({ description: 'x', options: z.strictObject({}), open: () => ({ async *read() {} }) })
// @ts-expect-error a sink says what it promises
defineSink({ ...open, open: () => ({ deliver: async () => [] }) })
// @ts-expect-error it promises one of two things
defineSink({ ...open, open: () => ({ guarantee: 'maybe', deliver: async () => [] }) })
// @ts-expect-error an outcome is one of three
defineSink({ ...open, open: () => ({ guarantee: 'at-least-once', deliver: async () => ['sent'] }) })
// @ts-expect-error deliver is asynchronous
defineSink({ ...open, open: () => ({ guarantee: 'at-least-once', deliver: () => ['delivered'] }) })
// @ts-expect-error an unknown section
defineConfig({ sauce: { use: 'typed' } })
`

async function complaints(text: string, how: ts.CompilerOptions): Promise<string[]> {
  const project = await temporaryFolder()
  await mkdir(join(project, 'node_modules'))
  await symlink(root, join(project, 'node_modules', 'owm-producer'))
  await writeFile(join(project, 'package.json'), '{"type": "module"}')
  const file = join(project, 'plugin.ts')
  await writeFile(file, text)
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    types: [],
    ...how,
  }
  const found = ts.getPreEmitDiagnostics(ts.createProgram([file], options))
  return found.map(({ file: at, start, messageText }) => {
    const line = at && start !== undefined ? `${at.fileName}:${at.getLineAndCharacterOfPosition(start).line + 1}: ` : ''
    return line + ts.flattenDiagnosticMessageText(messageText, ' ')
  })
}

it.each<[string, ts.CompilerOptions]>([
  // Once with owm's own declarations checked, too: they need no @types of anything.
  ['nodenext', { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }],
  ['bundler', { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, skipLibCheck: true }],
])('options are inferred, and what is wrong is an error, with moduleResolution %s', async (_, how) => {
  // The last line is there to see that the compiler looks at all.
  expect(await complaints(`${plugin}export const wrong: number = sink.name\n`, how)).toEqual([
    expect.stringMatching(/plugin\.ts:\d+: Type 'string' is not assignable to type 'number'/),
  ])
})
