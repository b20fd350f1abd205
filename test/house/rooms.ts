/** The rooms of `src/`, whom each may import, and what the files really import. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import ts from 'typescript'
import { groupedBy } from '../../src/lists.js'
import { root } from '../support/cli.js'

interface Room {
  /** Rooms whose code this one may use. */
  imports: readonly string[]
  /** Rooms of which it may only name types. */
  types?: readonly string[]
  /** Packages that it may use. */
  vendors?: readonly string[]
}

/** Rooms that every other room may import. */
export const openRooms: readonly string[] = ['errors', 'lists.ts', 'trace.ts', 'trust.ts', 'within.ts', 'words.ts']

/** Where a path fits two rooms it belongs to the longer one. */
export const rooms: Readonly<Record<string, Room>> = {
  errors: { imports: [], vendors: ['fastest-levenshtein'] },
  'lists.ts': { imports: [] },
  'trace.ts': { imports: [] },
  'trust.ts': { imports: ['errors'] },
  'within.ts': { imports: [] },
  'words.ts': { imports: [] },
  'plugin.ts': { imports: [], vendors: ['zod'] },
  files: { imports: ['databases'], vendors: ['sqlite3'] },
  tasks: { imports: ['plugin.ts'], vendors: ['lossless-json'] },
  // How databases are reached, and what their failures mean.
  databases: { imports: [], vendors: ['sqlite3'] },
  sources: {
    imports: ['databases', 'tasks', 'plugin.ts'],
    vendors: ['zod', 'csv-parse', 'yaml', 'undici', 'typeorm'],
  },
  sinks: { imports: ['databases', 'files', 'tasks', 'plugin.ts'], vendors: ['zod', 'ioredis'] },
  outbox: { imports: ['databases', 'files', 'tasks'], types: ['plugin.ts'], vendors: ['typeorm'] },
  schedule: { imports: [], vendors: ['croner'] },
  deploy: { imports: ['schedule', 'tasks'], vendors: ['yaml'] },
  // What owm tells others of a start.
  observe: { imports: ['files'], types: ['plugin.ts'], vendors: ['pino', 'prom-client', 'zod'] },
  pipeline: { imports: ['outbox', 'tasks', 'schedule', 'plugin.ts'], vendors: ['cockatiel'] },
  plugins: {
    imports: ['files', 'tasks', 'plugin.ts', 'sources/index.ts', 'sinks/index.ts'],
    vendors: ['zod', 'jiti', 'yaml'],
  },
  'plugins/conformance': {
    imports: ['plugins', 'pipeline', 'outbox', 'tasks', 'plugin.ts', 'sources/index.ts', 'sinks/index.ts'],
    vendors: ['zod'],
  },
  config: {
    imports: ['plugins', 'files', 'tasks', 'schedule', 'observe'],
    types: ['plugin.ts', 'pipeline'],
    vendors: ['zod', 'cosmiconfig', 'yaml'],
  },
  doctor: {
    imports: ['config', 'pipeline', 'outbox', 'schedule', 'files', 'tasks', 'plugin.ts'],
  },
  report: { imports: ['tasks'], types: ['outbox'] },
  // Runs in a browser.
  'report/page': {
    imports: ['report'],
    vendors: ['d3-geo', 'topojson-client', 'world-atlas', 'uplot'],
  },
  completion: {
    imports: ['config', 'plugins', 'outbox'],
  },
  cli: {
    imports: [
      ...['config', 'doctor', 'plugins', 'pipeline', 'outbox', 'schedule', 'deploy', 'files', 'tasks', 'plugin.ts'],
      ...['observe', 'report', 'sources/index.ts'],
    ],
    vendors: ['@oclif/core', 'string-width'],
  },
  commands: {
    imports: ['cli', 'completion'],
    types: ['plugin.ts', 'tasks', 'outbox', 'pipeline', 'plugins', 'config'],
    vendors: ['@oclif/core'],
  },
  'index.ts': { imports: ['plugin.ts', 'config'], types: ['tasks'], vendors: ['zod'] },
  // The maps of what comes with owm are rooms of their own: whoever reads one doesn't load a plugin.
  'sources/index.ts': { imports: ['sources'] },
  'sinks/index.ts': { imports: ['sinks'] },
}

export interface Import {
  /** A file of src: `sources/fields.ts`. */
  from: string
  /** Another file of src, or the name of a package or of a module of Node's. */
  to: string
  how: 'type' | 'static' | 'dynamic'
}

export const src = join(root, 'src')
export const files: readonly string[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(ts|lua)$/.test(path))
  .map((path) => path.replaceAll(sep, '/'))
  .sort()
export const textOf = (file: string): string => readFileSync(join(src, file), 'utf8')
export const imports: readonly Import[] = files.filter((file) => file.endsWith('.ts')).flatMap(importsOf)

const importsByFile = groupedBy(imports, ({ from }) => from)

export const isOwn = ({ to }: Import): boolean => files.includes(to)
export const isNode = ({ to }: Import): boolean => to.startsWith('node:')
export const shown = ({ from, to, how }: Import): string => `${from} -> ${to} (${how})`

/** The room of a file, as it stands in the table; undefined where the table has none. */
export function roomOf(file: string): string | undefined {
  return Object.keys(rooms)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0]
}

/** Whether the table allows this import of a file or a package. */
export function isAllowed(one: Import): boolean {
  const from = roomOf(one.from)
  const room = from === undefined ? undefined : rooms[from]
  if (!room) return false
  if (isNode(one)) return true
  if (!isOwn(one)) return room.vendors?.includes(one.to) ?? false
  const to = roomOf(one.to)
  if (to === undefined) return false
  const isOpen = openRooms.includes(to) && !openRooms.includes(from ?? '')
  return (
    to === from || isOpen || room.imports.includes(to) || (one.how === 'type' && (room.types?.includes(to) ?? false))
  )
}

/** All that `file` loads with itself, directly or not; what `import()` loads later is left out. */
export function reach(file: string, seen = new Set<string>()): Set<string> {
  for (const { to, how } of importsByFile.get(file) ?? []) {
    if (how !== 'static' || seen.has(to)) continue
    seen.add(to)
    reach(to, seen)
  }
  return seen
}

function importsOf(from: string): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, how: Import['how']): void => {
    if (specifier && ts.isStringLiteralLike(specifier)) found.push({ from, to: target(from, specifier.text), how })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause) ? 'type' : 'static')
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node) ? 'type' : 'static')
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, 'type')
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], 'dynamic')
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(from, textOf(from), ts.ScriptTarget.Latest))
  return found
}

/** What an import's text names: a file of src, a package without the path in it, or a module of Node's. */
function target(from: string, name: string): string {
  if (name.startsWith('node:')) return name
  if (!name.startsWith('.')) return name.split('/', name.startsWith('@') ? 2 : 1).join('/')
  const path = relative(src, join(src, dirname(from), name)).replaceAll(sep, '/')
  return path.replace(/\.js$/, '.ts')
}

function isTypeOnly(of: ts.ImportClause | ts.ExportDeclaration | undefined): boolean {
  if (!of) return false
  if (ts.isExportDeclaration(of)) {
    const names = of.exportClause && ts.isNamedExports(of.exportClause) ? of.exportClause.elements : undefined
    return of.isTypeOnly || (names?.every((name) => name.isTypeOnly) ?? false)
  }
  const names = of.namedBindings && ts.isNamedImports(of.namedBindings) ? of.namedBindings.elements : undefined
  return (
    of.phaseModifier === ts.SyntaxKind.TypeKeyword || (!of.name && (names?.every((name) => name.isTypeOnly) ?? false))
  )
}
