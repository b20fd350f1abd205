/**
 * A second owm with guards taken out, to see whether the suite notices.
 *
 * A guard has a mark in `src`: a comment line of its own, `// guard: some-name` (`-- guard: some-name` in Lua).
 * In TypeScript the mark stands for the statement behind it; where no statement begins there, for the largest
 * expression, argument, member or property that does. In Lua it stands for the next line.
 */
import { execFile } from 'node:child_process'
import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { root, temporaryFolder } from './cli.js'

/** What stands in a guard's place, by the guard's name. */
export type Changes = Readonly<Record<string, string | ((guard: string) => string)>>

/** Builds owm without these guards: the path of its `bin/run.js`. Fails where a mark isn't in `src` exactly once. */
export async function brokenBuild(changes: Changes): Promise<string> {
  return join(await brokenTree(changes, ['bin', 'src', 'package.json', 'oclif.manifest.json']), 'bin', 'run.js')
}

/** The same with its tests, to be run there: the tree's folder. */
export async function brokenProject(changes: Changes): Promise<string> {
  const others = new Set(['node_modules', '.git', 'dist', 'demo'])
  return brokenTree(
    changes,
    (await readdir(root)).filter((part) => !others.has(part)),
  )
}

async function brokenTree(changes: Changes, parts: readonly string[]): Promise<string> {
  const folder = await temporaryFolder()
  for (const part of parts) await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [name, by] of Object.entries(changes)) {
    const { file, start, end } = await findGuard(name, join(folder, 'src'))
    const text = await readFile(file, 'utf8')
    const guard = text.slice(start, end)
    const change = typeof by === 'string' ? by : by(guard)
    if (change === guard) throw new Error(`the guard ${name} is still there: ${guard}`)
    await writeFile(file, text.slice(0, start) + change + text.slice(end))
  }
  await promisify(execFile)(process.execPath, [join(root, 'scripts', 'build.mjs'), folder])
  return folder
}

interface Guard {
  file: string
  /** Where the guard stands in the file's text: UTF-16 units, the end excluded. */
  start: number
  end: number
}

/** The guard's place in the files of a folder. */
async function findGuard(name: string, folder: string): Promise<Guard> {
  const found: Guard[] = []
  for (const path of await readdir(folder, { recursive: true })) {
    if (!/\.(ts|lua)$/.test(path)) continue
    const file = join(folder, path)
    const text = await readFile(file, 'utf8')
    for (const mark of text.matchAll(new RegExp(`^ *(//|--) guard: ${name}\\n *`, 'gm'))) {
      const start = mark.index + mark[0].length
      found.push({ file, start, end: mark[1] === '--' ? text.indexOf('\n', start) : endOfNode(text, start) })
    }
  }
  const [guard, ...others] = found
  if (!guard || others.length > 0) throw new Error(`src has ${found.length} marks "guard: ${name}", not one`)
  return guard
}

/** The end of the statement, or else of the largest other part of the program, that begins at `start`. */
function endOfNode(text: string, start: number): number {
  const file = ts.createSourceFile('guard.ts', text, ts.ScriptTarget.Latest, true)
  const beginning: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    if (node !== file && node.getStart() === start) beginning.push(node)
    ts.forEachChild(node, visit)
  }
  visit(file)
  const node = beginning.find(ts.isStatement) ?? beginning[0]
  if (!node) throw new Error(`nothing begins behind the mark: ${text.slice(start, start + 80)}`)
  return node.getEnd()
}
