/**
 * Runs a bundle of `dist/` out of V8's code cache: to parse and compile everything
 * anew takes longer than a small run. What Node 22's `module.enableCompileCache`
 * does, for Node 20 too, and kept beside the code: who can write there could change
 * the code itself. Where nobody may write, owm starts without, only slower.
 *
 * CommonJS in `dist/`, as all that runs at a start: Node's loader for ES modules alone takes 4 ms.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { Script } from 'node:vm'
import { crc32 } from 'node:zlib'

/** Hash of the bundles, put here by the build. */
declare const build: string

const loaded = new Map<string, unknown>()
/** Which cache: one for each command holds no more than what that one runs. */
let cacheOf: string | undefined

/** With these a command does less. A cache that such a run made would lack the rest for good. */
const less = ['--dry-run', '--help', '--no-flush']

/** Called by the program itself, with its arguments: whoever only imports owm writes nothing beside it. */
export function useCodeCache([command = 'owm', ...flags]: readonly string[]): void {
  if (!/^(-|[a-z]+$)/.test(command) || process.env['NODE_DISABLE_COMPILE_CACHE']) return
  if (command === '--version') cacheOf = 'version'
  else cacheOf = command.startsWith('-') ? 'owm' : [command, ...less.filter((flag) => flags.includes(flag))].join('')
}

/** The exports of a bundle, by its name without ending. */
export function load(name: string): unknown {
  if (loaded.has(name)) return loaded.get(name)
  const file = join(import.meta.dirname, `${name}.cjs`)
  const source = readFileSync(file)
  // V8 compares no more of the source than its length: a cache of another build must have another name.
  const cache = cacheOf && join(import.meta.dirname, 'cache', `${name}-${cacheOf}-${build}-${process.version}-${process.arch}`)
  const cachedData = cache && readCache(cache)
  // ASCII, as esbuild writes it: a byte a character, the fastest for V8 to take.
  const script = new Script(source.toString('latin1'), { filename: file, ...(cachedData && { cachedData }) })
  if (cache && (!cachedData || script.cachedDataRejected)) {
    // At the end: by then it has what this command needed, and still has it, since a long run must not forget the code of its start.
    const { setFlagsFromString } = process.getBuiltinModule('node:v8') // here: most starts find a cache
    setFlagsFromString('--no-flush-bytecode')
    process.once('exit', (code) => {
      setFlagsFromString('--flush-bytecode') // a cache belongs to the flags it was made with
      if (code === 0) writeCache(cache, script.createCachedData())
    })
  }

  const module = { exports: {} }
  loaded.set(name, module.exports)
  const fromFile = createRequire(file)
  const require = (id: string): unknown => (id.startsWith('./') ? load(basename(id, '.cjs')) : fromFile(id))
  // A script has no import() of its own; and another bundle is no module that Node could import.
  const imported = async (id: string): Promise<unknown> => (id.startsWith('./') ? require(id) : import(id))
  script.runInThisContext()(module.exports, Object.assign(require, fromFile), module, file, import.meta.dirname, imported)
  loaded.set(name, module.exports)
  return module.exports
}

/** V8 trusts what it is given: a damaged cache would crash it. */
function readCache(path: string): Buffer | undefined {
  try {
    const kept = readFileSync(path)
    const data = kept.subarray(4)
    return kept.readUInt32LE(0) === crc32(data) ? data : undefined
  } catch {
    return undefined
  }
}

function writeCache(path: string, data: Buffer): void {
  const sum = Buffer.alloc(4)
  sum.writeUInt32LE(crc32(data))
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.${process.pid}`, Buffer.concat([sum, data]))
    renameSync(`${path}.${process.pid}`, path) // whoever starts meanwhile sees the whole or nothing
  } catch {
    // a folder that can't be written: no cache
  }
}
