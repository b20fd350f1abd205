/** Where this very owm is installed. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A package can require itself by its name, wherever the bundler has put this line. */
const root = dirname(createRequire(import.meta.url).resolve('owm/package.json'))

/** The path of a built module, such as `plugins/load`. */
export const builtFile = (name: string): string => join(root, 'dist', `${name}.js`)

/** The URLs of what a plugin imports of owm. */
export const ownModules: Readonly<Record<string, string>> = {
  owm: pathToFileURL(builtFile('index')).href,
  'owm/testing': pathToFileURL(builtFile('plugins/conformance/index')).href,
}
