/**
 * Runs a bundle of `dist/` out of V8's code cache: to parse and compile everything
 * anew takes longer than a small run. What Node 22's `module.enableCompileCache`
 * does, for Node 20 too, and kept beside the code: who can write there could change
 * the code itself. Where nobody may write, owm starts without, only slower.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { crc32 } from 'node:zlib'

const loaded = new Map<string, unknown>()
/** Which cache: one for each command holds no more than what that one runs. */
let cacheOf: string | undefined

/** Called by the program itself: whoever only imports owm writes nothing beside it. */
export function useCodeCache(command = 'owm'): void {
  if (/^(-|[a-z]+$)/.test(command) && !process.env['NODE_DISABLE_COMPILE_CACHE']) cacheOf = command.startsWith('-') ? 'owm' : command
}

/** The exports of a bundle, by its name without ending. */
export function load(name: string): unknown {
  if (loaded.has(name)) return loaded.get(name)
  const file = join(import.meta.dirname, `${name}.cjs`)
  const source = readFileSync(file)
  // V8 compares no more of the source than its length, and trusts what it finds in the cache.
  const sourceSum = crc32(source)
  const cache = cacheOf && join(import.meta.dirname, 'cache', `${name}-${cacheOf}-${process.version}-${process.arch}`)
  const cachedData = cache && readCache(cache, sourceSum)
  const script = new Script(`(function (exports, require, module, __filename, __dirname, __import) {${source}\n})`, {
    filename: file,
    ...(cachedData && { cachedData }),
  })
  // At the end: by then it has what this command needed.
  if (cache && (!cachedData || script.cachedDataRejected)) process.once('exit', (code) => code === 0 && writeCache(cache, sourceSum, script.createCachedData()))

  const module = { exports: {} }
  loaded.set(name, module.exports)
  const fromFile = createRequire(file)
  const require = (id: string): unknown => (id === './cli.cjs' ? load('cli') : fromFile(id))
  // A script has no import() of its own.
  script.runInThisContext()(module.exports, Object.assign(require, fromFile), module, file, import.meta.dirname, (id: string): Promise<unknown> => import(id))
  loaded.set(name, module.exports)
  return module.exports
}

function readCache(path: string, sourceSum: number): Buffer | undefined {
  try {
    const kept = readFileSync(path)
    const data = kept.subarray(8)
    return kept.readUInt32LE(0) === sourceSum && kept.readUInt32LE(4) === crc32(data) ? data : undefined
  } catch {
    return undefined
  }
}

function writeCache(path: string, sourceSum: number, data: Buffer): void {
  const sums = Buffer.alloc(8)
  sums.writeUInt32LE(sourceSum, 0)
  sums.writeUInt32LE(crc32(data), 4)
  try {
    mkdirSync(join(import.meta.dirname, 'cache'), { recursive: true })
    writeFileSync(`${path}.${process.pid}`, Buffer.concat([sums, data]))
    renameSync(`${path}.${process.pid}`, path) // whoever starts meanwhile sees the whole or nothing
  } catch {
    // a folder that can't be written: no cache
  }
}
