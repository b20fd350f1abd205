/** The laws of the house (CONTRIBUTING.md), read off the imports. */

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { basename, dirname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'

type How = 'type' | 'static' | 'dynamic'

interface Import {
  /** The file, as `sources/static-list.ts`. */
  from: string
  /** Another file of src, as above, or a package's name. */
  to: string
  how: How
}

const src = join(root, 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll(sep, '/'))
const imports = files.flatMap(importsOf)

function importsOf(from: string): Import[] {
  const text = readFileSync(join(src, from), 'utf8')
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, how: How): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return
    const { text: name } = specifier
    const to = name.startsWith('.')
      ? relative(src, join(src, dirname(from), name))
          .replaceAll(sep, '/')
          .replace(/\.js$/, '.ts')
      : packageOf(name)
    found.push({ from, to, how })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause) ? 'type' : 'static')
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly ? 'type' : 'static')
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, 'type')
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], 'dynamic')
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(from, text, ts.ScriptTarget.Latest))
  return found
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const { name, namedBindings } = clause
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  )
}

function packageOf(name: string): string {
  const parts = name.startsWith('@') ? 2 : 1
  return name.split('/').slice(0, parts).join('/')
}

const isNode = (name: string): boolean => name.startsWith('node:')
const isOwn = (name: string): boolean => name.endsWith('.ts')
const room = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : file)
const shown = (found: readonly Import[]): string[] => found.map(({ from, to, how }) => `${from} -> ${to} (${how})`)

/** Whom a file loads with itself, whole way down, types and `import()` left out. */
function reach(file: string, seen = new Set<string>()): Set<string> {
  for (const { from, to, how } of imports) {
    if (from !== file || how !== 'static' || seen.has(to)) continue
    seen.add(to)
    if (isOwn(to)) reach(to, seen)
  }
  return seen
}

describe('imports', () => {
  it('were found, and lead to files that are there', () => {
    expect(imports.length).toBeGreaterThan(50)
    for (const how of ['type', 'static', 'dynamic']) expect(imports.some((one) => one.how === how)).toBe(true)
    expect(shown(imports.filter(({ to }) => isOwn(to) && !files.includes(to)))).toEqual([])
    expect(shown(imports.filter(({ to }) => builtinModules.includes(to)))).toEqual([])
  })

  it('of packages are declared', async () => {
    const { dependencies, oclif }: { dependencies: Record<string, string>; oclif: { plugins: string[] } } = JSON.parse(
      await readFile(join(root, 'package.json'), 'utf8'),
    )
    expect(shown(imports.filter(({ to }) => !isOwn(to) && !isNode(to) && !(to in dependencies)))).toEqual([])
    expect(
      Object.keys(dependencies).filter(
        (name) => !oclif.plugins.includes(name) && !imports.some(({ to }) => to === name),
      ),
    ).toEqual([])
  })

  it('never go back to a command', () => {
    expect(shown(imports.filter(({ to }) => room(to) === 'commands'))).toEqual([])
    expect(shown(imports.filter(({ from, to }) => to === 'command.ts' && room(from) !== 'commands'))).toEqual([])
  })

  it('of the pipeline know no vendor, no command line, no plugin', () => {
    const allowed = ['batch.ts', 'errors.ts', 'plugin.ts', 'seen.ts', 'task.ts', 'steps.ts']
    const found = imports.filter(
      ({ from, to, how }) => from === 'pipeline.ts' && !isNode(to) && how !== 'type' && !allowed.includes(to),
    )
    expect(shown(found)).toEqual([])
    const types = imports.filter(({ from, to, how }) => from === 'pipeline.ts' && how === 'type' && !isOwn(to))
    expect(shown(types)).toEqual([])
    for (const to of reach('pipeline.ts')) expect(isNode(to) || isOwn(to), to).toBe(true)
  })

  it.each(['plugin.ts', 'contract.ts', 'errors.ts', 'task.ts', 'fields.ts', 'seen.ts'])(
    'of %s lead nowhere but to other contracts',
    (contract) => {
      const allowed = [
        'plugin.ts',
        'errors.ts',
        'task.ts',
        'utf8.ts',
        'fields.ts',
        ...(contract === 'fields.ts' ? ['zod'] : []),
      ]
      expect(
        shown(
          imports.filter(
            ({ from, to, how }) => from === contract && how !== 'type' && !isNode(to) && !allowed.includes(to),
          ),
        ),
      ).toEqual([])
    },
  )

  it.each(['sources', 'sinks'])('of %s: contracts, errors, pure rooms and their own vendor', (kind) => {
    const own = imports.filter(({ from, to }) => room(from) === kind && from !== `${kind}/index.ts` && isOwn(to))
    expect(own).not.toEqual([])
    expect(
      shown(
        own.filter(
          ({ to }) =>
            !['plugin.ts', 'errors.ts', 'task.ts', 'utf8.ts', 'batch.ts', 'fields.ts', 'nearest.ts'].includes(to),
        ),
      ),
    ).toEqual([])
    // The source sql reads other people's databases through them; the outbox's file stays the outbox's.
    const isDatabase = ({ from, to, how }: Import): boolean =>
      from === 'sources/sql.ts' && ['typeorm', 'sqlite3'].includes(to) && how !== 'static'
    const vendors = imports.filter(
      (one) => room(one.from) === kind && !isOwn(one.to) && !isNode(one.to) && !isDatabase(one),
    )
    expect(
      shown(
        vendors.filter(({ to }) =>
          ['typeorm', 'sqlite3', '@oclif/core', 'cosmiconfig', 'cockatiel', 'pino'].includes(to),
        ),
      ),
    ).toEqual([])
    expect(
      shown(
        imports.filter(({ from, to, how }) => from === `${kind}/index.ts` && (room(to) !== kind || how !== 'dynamic')),
      ),
    ).toEqual([])
  })

  it.each([
    ['typeorm', 'outbox', 'sources/sql.ts'],
    ['sqlite3', 'outbox', 'sources/sql.ts'],
    ['cosmiconfig', 'config.ts'],
    ['cockatiel', 'resilience.ts'],
    ['ioredis', 'sinks'],
    ['csv-parse', 'sources'],
    ['undici', 'sources'],
    ['jiti', 'load-plugin.ts'],
  ])('of %s: only in %s', (vendor, ...only) => {
    const found = imports.filter(({ to }) => to === vendor)
    expect(found).not.toEqual([])
    expect(shown(found.filter(({ from }) => !only.includes(room(from)) && !only.includes(from)))).toEqual([])
  })

  it('of oclif: only in the base command and the commands', () => {
    expect(
      shown(
        imports.filter(({ from, to }) => to === '@oclif/core' && from !== 'command.ts' && room(from) !== 'commands'),
      ),
    ).toEqual([])
  })

  it.each(['command.ts', ...files.filter((file) => room(file) === 'commands')])(
    'of %s start no heavy vendor',
    (file) => {
      const heavy = [
        'typeorm',
        'sqlite3',
        'ioredis',
        'zod',
        'pino',
        'cockatiel',
        'cosmiconfig',
        'csv-parse',
        'undici',
        'jiti',
        '@streamparser/json',
        'yaml',
      ]
      expect([...reach(file)].filter((to) => heavy.includes(to))).toEqual([])
    },
  )
})

describe('files', () => {
  it('are not named utils, helpers, common, services or types', () => {
    const vague = /^(utils?|helpers?|common|services?|types?|misc|shared|lib)$/
    expect(files.filter((file) => file.split('/').some((part) => vague.test(part.replace(/(\.d)?\.ts$/, ''))))).toEqual(
      [],
    )
  })

  it.each(files.filter((file) => room(file) === 'commands'))(
    '%s is a command of at most 120 lines or so',
    async (file) => {
      const text = await readFile(join(src, file), 'utf8')
      const [exported, ...others] = text.match(/^export default .*$/gm) ?? []
      expect({ exported, others }).toEqual({
        exported: expect.stringMatching(/^export default class \w+ extends OwmCommand</),
        others: [],
      })
      expect(text.split('\n').length).toBeLessThanOrEqual(140)
    },
  )

  it.each(files.filter((file) => room(file) === 'commands'))(
    '%s takes no argument from standard input: that may be anything, where cron starts it',
    async (file) => {
      const { default: command }: { default: { args?: Record<string, { ignoreStdin?: boolean }> } } = await import(
        join(src, file)
      )
      for (const [name, { ignoreStdin }] of Object.entries(command.args ?? {}))
        expect({ name, ignoreStdin }).toEqual({ name, ignoreStdin: true })
    },
  )

  it.each(['sources', 'sinks'])('of %s are all in its map, under their own names', async (kind) => {
    const map: Record<string, Record<string, () => Promise<{ default: { name: string } }>>> = await import(
      `../src/${kind}/index.ts`
    )
    const entries = Object.entries(map[kind] ?? {})
    const expected = files
      .filter((file) => room(file) === kind && file !== `${kind}/index.ts`)
      .map((file) => basename(file, '.ts'))
    expect(entries.map(([name]) => name).sort()).toEqual(expected.sort())
    for (const [name, load] of entries) expect((await load()).default.name).toBe(name)
  })
})

it('oclif.manifest.json is what the commands give', async () => {
  const copy = await temporaryFolder()
  for (const name of ['package.json', 'bin']) await cp(join(root, name), join(copy, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await mkdir(join(copy, 'dist'))
  await cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
  await promisify(execFile)(process.execPath, [join(root, 'node_modules', 'oclif', 'bin', 'run.js'), 'manifest'], {
    cwd: copy,
    env: { ...process.env, OCLIF_SKIP_UPDATE_CHECK: 'true' },
  })
  const [made, committed] = await Promise.all(
    [copy, root].map((folder) => readFile(join(folder, 'oclif.manifest.json'), 'utf8')),
  )
  expect(JSON.parse(committed ?? '')).toEqual(JSON.parse(made ?? ''))
})
