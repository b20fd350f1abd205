/** Reads a list with the source static-list, in this process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { isMalformed, type Location } from '../../../src/plugin.js'
import staticList from '../../../src/sources/static-list/index.js'

export interface Read {
  readonly locations: readonly Location[]
  readonly reasons: readonly string[]
  readonly warnings: readonly string[]
}

export async function read(name: string, text: string | Buffer, options: object = {}): Promise<Read> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, name), text)
  return readSource({ file: join(folder, name), ...options })
}

export async function readSource(options: object): Promise<Read> {
  const warnings: string[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, message: string) => void warnings.push(message) }
  const context = {
    baseDir: '/',
    signal: new AbortController().signal,
    log,
    attempt: <T>(work: () => Promise<T>) => work(),
  }
  const source = await staticList.open(staticList.options.parse(options), context)
  const locations: Location[] = []
  const reasons: string[] = []
  for await (const batch of source.read(undefined))
    for (const location of batch.locations)
      if (isMalformed(location)) reasons.push(location.reason)
      else locations.push(location)
  return { locations, reasons, warnings }
}
