/** The laws of the house (CONTRIBUTING.md, docs/architecture.md), read off the source. */
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { dirname, join, posix, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { root } from '../support/cli.js'
import {
  files,
  type Import,
  imports,
  isAllowed,
  isNode,
  isOwn,
  reach,
  roomOf,
  rooms,
  shown,
  src,
  textOf,
} from './rooms.js'

const most = { linesOfFile: 400, linesOfFunction: 80, lengthOfLine: 120, entriesOfRoom: 12, linesOfCommand: 140 }

/** Files outside of src that are ours: paths from the project's root. */
const outside = (
  await Promise.all(
    ['test', 'scripts', 'bench', 'bin', 'templates', 'docs', 'README.md', 'CONTRIBUTING.md'].map(async (place) =>
      place.endsWith('.md')
        ? [place]
        : (await readdir(join(root, place), { recursive: true })).map((path) => join(place, path)),
    ),
  )
)
  .flat()
  .filter((path) => /\.([cm]?[jt]s|lua|md)$/.test(path) && !path.includes('node_modules'))
  .map((path) => path.replaceAll(sep, '/'))

const ours = [...files.map((file) => `src/${file}`), ...outside].map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}))
const code = ours.filter(({ path }) => !path.endsWith('.md'))

describe('imports', () => {
  it('were found, and lead to files that are there', () => {
    expect(imports.length).toBeGreaterThan(50)
    for (const how of ['type', 'static', 'dynamic']) expect(imports.some((one) => one.how === how)).toBe(true)
    expect(imports.filter((one) => one.to.endsWith('.ts') && !isOwn(one)).map(shown)).toEqual([])
    expect(imports.filter(({ to }) => builtinModules.includes(to)).map(shown)).toEqual([])
  })

  it('go only where the table of rooms allows', () => {
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([])
    expect(Object.keys(rooms).filter((room) => !files.some((file) => roomOf(file) === room))).toEqual([])
    expect(imports.filter((one) => !isAllowed(one)).map(shown)).toEqual([])
  })

  it('never lead back to where they began', () => {
    expect(files.filter((file) => reach(file).has(file))).toEqual([])
  })

  it.each(['sources', 'sinks'])(
    "of %s: one plugin's never go to another's, and the map's are dynamic",
    async (kind) => {
      const names = Object.keys(await mapOf(kind))
      const pluginOf = (file: string): string | undefined =>
        names.find((name) => file === `${kind}/${name}.ts` || file.startsWith(`${kind}/${name}/`))
      const crossing = ({ from, to }: Import): boolean =>
        pluginOf(to) !== undefined && pluginOf(from) !== pluginOf(to) && from !== `${kind}/index.ts`
      expect(imports.filter(crossing).map(shown)).toEqual([])
      expect(imports.filter(({ from, how }) => from === `${kind}/index.ts` && how !== 'dynamic').map(shown)).toEqual([])
    },
  )

  it.each<[string, ...string[]]>([
    ['typeorm', 'outbox/', 'sources/sql/'], // the source reads other people's databases through it
    ['sqlite3', 'databases/', 'files/lock.ts'],
    ['cockatiel', 'pipeline/retry.ts'],
    ['ioredis', 'sinks/redis-stream/'],
    ['csv-parse', 'sources/formats/'],
    ['undici', 'sources/http/'],
  ])('of %s: only in %s', (vendor, ...places) => {
    const found = imports.filter(({ to }) => to === vendor)
    expect(found).not.toEqual([])
    expect(found.filter(({ from }) => !places.some((place) => from.startsWith(place))).map(shown)).toEqual([])
  })

  it("of the outbox's tables: only in the outbox", () => {
    const found = imports.filter(({ from, to }) => to.startsWith('outbox/sqlite/') && !from.startsWith('outbox/'))
    // `owm doctor` says of a newer outbox what helps.
    expect(found.map(shown)).toEqual(['doctor/outbox.ts -> outbox/sqlite/trouble.ts (static)'])
  })

  it('of mkdir: none is recursive, which may never return (files/folders.ts)', () => {
    const making = files.filter((file) => textOf(file).includes('mkdir'))
    const calls = making.flatMap((file) => nodesOf(textOf(file), ts.isCallExpression).map((call) => call.getText()))
    const ofFolders = calls.filter((call) => /^(\w+\.)?mkdir(Sync)?\(/.test(call))
    expect(ofFolders).not.toEqual([])
    expect(ofFolders.filter((call) => call.includes('recursive'))).toEqual([])
  })

  it('have an end: what is exported is used in a file that imports it', () => {
    const wordsOfImporters = new Map<string, Set<string>>()
    for (const { path, text } of code) {
      const words = text.match(/[\w$]+/g) ?? []
      for (const [, name = ''] of text.matchAll(/\b(?:from|import\(|import)\s*'(\.[^']+)'/g)) {
        const target = posix
          .join(dirname(path), name)
          .replace(/^dist\//, 'src/')
          .replace(/\.js$/, '.ts')
        const known = wordsOfImporters.get(target) ?? new Set()
        for (const word of words) known.add(word)
        wordsOfImporters.set(target, known)
      }
    }
    // sources/index.ts passes this one on as a whole.
    wordsOfImporters.get('src/sources/sql/catalogue.ts')?.add('catalogueOf')
    const isUsed = (name: string, file: string): boolean => wordsOfImporters.get(`src/${file}`)?.has(name) ?? false
    const exported = /^export (?:abstract |async )*(?:class|const|function\*?|interface|type) (\w+)/gm
    const found = files.flatMap((file) => [...textOf(file).matchAll(exported)].map(([, name = '']) => ({ file, name })))
    expect(found.length).toBeGreaterThan(500)
    expect(found.filter(({ file, name }) => !isUsed(name, file))).toEqual([])
  })

  it('of packages are declared', async () => {
    const manifest: Record<
      'dependencies' | 'devDependencies' | 'peerDependencies',
      Record<string, string>
    > = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    const { dependencies, devDependencies, peerDependencies } = manifest
    const declared = { ...dependencies, ...devDependencies, ...peerDependencies }
    expect(imports.filter((one) => !isOwn(one) && !isNode(one) && !(one.to in declared)).map(shown)).toEqual([])
    const isUsed = (name: string): boolean => imports.some(({ to }) => to === name)
    expect(Object.keys(dependencies).filter((name) => !isUsed(name))).toEqual([])
  })

  // For `--help`, `--version` and TAB. What an action needs is imported at its head.
  it.each(['cli/main.ts', 'cli/command.ts', 'completion/answer.ts'])('of %s start nothing heavy', (file) => {
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
      'yaml',
    ]
    expect([...reach(file)].filter((to) => heavy.includes(to))).toEqual([])
  })
})

it('each guard is taken out by a test', () => {
  const marks = ours.flatMap(({ path, text }) =>
    path.startsWith('src/') ? [...text.matchAll(/^ *(?:\/\/|--) guard: (\S+)$/gm)].map(([, name]) => name) : [],
  )
  expect(marks.length).toBeGreaterThan(40)
  const tests = code.filter(({ text }) => /support\/broken\.js'/.test(text))
  const named = new Set(tests.flatMap(({ text }) => nodesOf(text, isText).map((node) => node.text)))
  expect(marks.filter((name) => name === undefined || !named.has(name))).toEqual([])
})

describe('size', () => {
  it(`of a file: at most ${most.linesOfFile} lines`, () => {
    const found = code.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    expect(found.filter(({ lines }) => lines > most.linesOfFile)).toEqual([])
  })

  it(`of a function: at most ${most.linesOfFunction} lines`, () => {
    const ofSource = ours.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
    const found = ofSource.flatMap(({ path, text }) => functionsOf(text).map((one) => ({ path, ...one })))
    expect(found.length).toBeGreaterThan(100)
    expect(found.filter(({ lines }) => lines > most.linesOfFunction)).toEqual([])
  })

  it(`of a line: at most ${most.lengthOfLine} characters, strings and comments too`, () => {
    const tooLong = code.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => ([...line].length > most.lengthOfLine ? `${path}:${index + 1}` : [])),
    )
    expect(tooLong).toEqual([])
  })

  it(`of a room: at most ${most.entriesOfRoom} entries`, () => {
    const entries = new Map<string, Set<string>>()
    for (const path of files) {
      const parts = path.split('/')
      parts.forEach((part, depth) => {
        // src itself is the house, and what stands in commands/ is what people type.
        if (depth === 0 || parts[0] === 'commands') return
        const folder = ['src', ...parts.slice(0, depth)].join('/')
        entries.set(folder, (entries.get(folder) ?? new Set()).add(part))
      })
    }
    expect([...entries].filter(([, { size }]) => size > most.entriesOfRoom)).toEqual([])
  })
})

describe('names', () => {
  /** One word for one thing: what is said instead. */
  const banned: readonly [RegExp, string][] = [
    [/\bhand(s|ed|ing)?[- ]?((it|them|tasks?|batch(es)?) )?over|handed(?! (?:in|to a command)\b)/gi, 'deliver'],
    [/flusher/gi, 'relay'],
    [/resume[- ]point/gi, 'checkpoint'],
    [/\bbur(y|ies|ied)\b/gi, 'dead letter'],
    [/quarantin|malformed|\bunfit/gi, 'rejected, refused'],
    [/evict|\bpush(es|ed|ing)?( \w+){0,2} out\b/gi, 'trimmed'],
    [/\bforg[eo]t|upkeep/gi, 'retention'],
    [/(?<!read-)\banew\b/gi, 'again, from the start'],
    [/\bmend(s|ed|ing)?\b/gi, 'fix'],
    [/\bseldom\b/gi, 'rarely'],
  ]
  /** What other programs read keeps its name: columns, `--json` keys, the plugin contract. */
  const kept = /\b(handed_seq|evicted|noeviction|(is)?Malformed|ResumePointError|NOT_HANDED_OVER)\b|'owm\.malformed'/g
  /** In a test a server may forget, and a policy evict. */
  const keptInTests = /malformed|forg[eo]t|evict/gi

  it('of things: one word for each', () => {
    const here = join('test', 'house', 'laws.test.ts').replaceAll(sep, '/')
    const others = ours.filter(({ path }) => path !== here && !path.startsWith('docs/trials/')) // what others said
    const found = others.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) =>
        banned.flatMap(([word, better]) => {
          if (line.search(word) < 0) return []
          const rest = line.replace(kept, '').replace(path.startsWith('test/') ? keptInTests : '', '')
          return (rest.match(word) ?? []).map((wrong) => `${path}:${index + 1}: "${wrong}" (say: ${better})`)
        }),
      ),
    )
    expect(found).toEqual([])
  })

  it('of files are not utils, helpers, common, services or types', () => {
    const vague = /^(utils?|helpers?|common|services?|types?|misc|shared|lib)$/
    const isVague = (path: string): boolean => path.split('/').some((part) => vague.test(part.replace(/\.\w+$/, '')))
    expect(ours.map(({ path }) => path).filter(isVague)).toEqual([])
  })
})

describe('commands', () => {
  const commands = files.filter((file) => file.startsWith('commands/'))

  it.each(commands)('%s is a command and exports no other code', (file) => {
    const [exported, ...others] = textOf(file).match(/^export (?!interface|type).*$/gm) ?? []
    expect(exported).toMatch(/^export default class \w+ extends OwmCommand</)
    expect(others).toEqual([])
  })

  it(`are at most ${most.linesOfCommand} lines long`, () => {
    const found = commands.map((file) => ({ file, lines: textOf(file).trimEnd().split('\n').length }))
    expect(found.filter(({ lines }) => lines > most.linesOfCommand)).toEqual([])
  })
})

it('unit tests start no server and no process', () => {
  const others = /\.integration\.test\.ts$|^test\/(faults\/|engines\/|(reference|promela|guards)\.test)/
  const isUnit = (path: string): boolean => path.endsWith('.test.ts') && !others.test(path)
  const starting = [
    /^import .* from 'node:child_process'/m,
    /^import .* from '.*\/support\/(?!cli|conditions|locations|open-outbox)/m,
    /^import \{[^}]*\b(owm|owmJson|startOwm)\b[^}]*\} from '.*\/support\/cli/m,
  ]
  const unit = ours.filter(({ path }) => isUnit(path))
  expect(unit.length).toBeGreaterThan(3)
  expect(unit.filter(({ text }) => starting.some((word) => word.test(text))).map(({ path }) => path)).toEqual([])
})

/** The map of the built-in sources or sinks: name -> loader. */
async function mapOf(kind: string): Promise<Record<string, () => Promise<{ default: { name: string } }>>> {
  const module: Record<string, Record<string, () => Promise<{ default: { name: string } }>>> = await import(
    join(src, kind, 'index.ts')
  )
  return module[kind] ?? {}
}

/** Every function, method and accessor of a file, with the number of its lines. */
function functionsOf(text: string): { name: string; lines: number }[] {
  return nodesOf(text, ts.isFunctionLike).flatMap((node) => {
    if (!('body' in node && node.body)) return []
    const file = node.getSourceFile()
    const [start, end] = [node.getStart(), node.getEnd()].map((at) => file.getLineAndCharacterOfPosition(at).line)
    if (start === undefined || end === undefined) return []
    return [{ name: node.name ? node.name.getText() : `function in line ${start + 1}`, lines: end - start + 1 }]
  })
}

const isText = (node: ts.Node): node is ts.StringLiteralLike | ts.Identifier =>
  ts.isStringLiteralLike(node) || ts.isIdentifier(node)

/** The parts of a program that are of one kind, in order. */
function nodesOf<T extends ts.Node>(text: string, isOne: (node: ts.Node) => node is T): T[] {
  const found: T[] = []
  const visit = (node: ts.Node): void => {
    if (isOne(node)) found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true))
  return found
}
