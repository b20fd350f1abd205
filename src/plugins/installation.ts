/** Where the running owm is installed. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A package can resolve itself by name, wherever the bundler puts this line. */
const root = dirname(createRequire(import.meta.url).resolve('owm-producer/package.json'))

/** The path of a built module, such as `plugins/load`. */
export const builtFile = (name: string): string => join(root, 'dist', `${name}.js`)

const urlOf = (name: string): string => pathToFileURL(builtFile(name)).href

/** The URLs of what a plugin imports from owm: by the package's name, or by the command's, as older plugins do. */
export const ownModules: Readonly<Record<string, string>> = Object.fromEntries(
  ['owm-producer', 'owm'].flatMap((name) => [
    [name, urlOf('index')],
    [`${name}/testing`, urlOf('plugins/conformance/index')],
  ]),
)
