/** A fault for the conformance suites: a file or folder is away, and something else in its place. */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Fault } from '../../src/plugins/conformance/index.js'

export const gone = (path: string): Fault => ({
  name: 'it is gone',
  async begin() {
    const isFolder = (await stat(path)).isDirectory()
    await rename(path, `${path}.away`)
    await (isFolder ? writeFile(path, '') : mkdir(path))
    return async () => {
      await rm(path, { recursive: true })
      await rename(`${path}.away`, path)
    }
  },
})
