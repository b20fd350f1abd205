/** Several pipelines in one file: which one is chosen, and what it shares with the others. */
import { resolve } from 'node:path'
import { ConfigurationError } from '../errors/index.js'
import { nearest } from '../errors/suggest.js'
import { namedAfter } from '../files/folders.js'
import { isTree, type Tree } from '../tasks/json/tree.js'
import { commonKeys, defaultOutbox, pipelineName } from './schema.js'
import { at, type Found, Origins } from './values/origins.js'

/** Name -> its own sections, in the file's order; empty if the file has no `pipelines:`. */
export function pipelinesIn(found: Found | undefined): Tree {
  const pipelines = found?.tree['pipelines'] ?? {}
  if (isTree(pipelines)) return pipelines
  throw new ConfigurationError(`pipelines in ${found?.file} must be a mapping of names to sections.`, {
    hint: 'For example: `pipelines: {hourly: {source: {use: …}}}`.',
  })
}

/** The chosen pipeline; undefined if there is none to choose. Throws ConfigurationError. */
export async function choosePipeline(
  found: Found | undefined,
  name: string | undefined,
  baseDir: string,
): Promise<string | undefined> {
  const names = Object.keys(pipelinesIn(found))
  if (!found || names.length === 0) {
    if (name === undefined) return undefined
    const why = found ? `${found.file} has no \`pipelines:\`` : 'there is no configuration file'
    throw new ConfigurationError(`There is no pipeline ${name}: ${why}.`, {
      hint: 'Leave --pipeline and OWM_PIPELINE out, or add the pipeline.',
    })
  }
  await mustBeSections(found)
  mustBeDistinct(found, baseDir, ['outbox', 'path'], {
    what: 'outbox',
    fallback: defaultOutbox,
    hint: 'Give each its own: the tasks of one must not go to the sink of another.',
  })
  mustBeDistinct(found, baseDir, ['metrics', 'textfile'], {
    what: 'metrics.textfile',
    fallback: undefined,
    hint: 'Give each its own, or name one beside `pipelines:`, after which each gets one.',
  })
  return chosenOf(names, name, found.file)
}

/** Throws ConfigurationError unless each pipeline has a usable name, and sections or nothing below it. */
async function mustBeSections(found: Found): Promise<void> {
  const place = (key: string): Promise<string> => new Origins(found, undefined).place(['pipelines', key])
  for (const [key, own] of Object.entries(pipelinesIn(found))) {
    if (!pipelineName.test(key))
      throw new ConfigurationError(`The pipeline "${key}" ${await place(key)} needs another name.`, {
        hint: 'It becomes a part of the name of its outbox: at most 64 letters, digits, _ and -, a letter first.',
      })
    if (own !== null && !isTree(own))
      throw new ConfigurationError(
        `pipelines.${key} ${await place(key)} must be a mapping of sections, such as \`source:\`.`,
        { hint: 'For example: `pipelines: {hourly: {source: {use: …}}}`.' },
      )
  }
}

/** Throws ConfigurationError if there is no pipeline of this name, or several and none is named. */
function chosenOf(names: readonly string[], name: string | undefined, file: string): string {
  const [only] = names
  if (name === undefined && names.length > 1)
    throw new ConfigurationError(`${file} has several pipelines: ${names.join(', ')}.`, {
      hint: 'Name one with --pipeline or OWM_PIPELINE.',
    })
  const chosen = name ?? only ?? ''
  if (names.includes(chosen)) return chosen
  const near = nearest(chosen, names)
  throw new ConfigurationError(`There is no pipeline ${chosen} in ${file}.`, {
    hint: near ? `Did you mean \`${near}\`?` : `There are: ${names.join(', ')}.`,
  })
}

/** Throws ConfigurationError if two pipelines would use the same file. */
function mustBeDistinct(
  found: Found,
  baseDir: string,
  key: readonly string[],
  { what, fallback, hint }: { what: string; fallback: string | undefined; hint: string },
): void {
  const taken = new Map<string, string>()
  const pathIn = (part: unknown): string | undefined => {
    const path = at(part, key)
    return typeof path === 'string' ? resolve(baseDir, path) : undefined
  }
  for (const [name, own] of Object.entries(pipelinesIn(found))) {
    const shared = pathIn(found.tree) ?? fallback
    const path = pathIn(own) ?? (shared === undefined ? undefined : namedAfter(name, shared))
    if (path === undefined) continue
    const other = taken.get(path)
    if (other !== undefined)
      throw new ConfigurationError(
        `The pipelines ${other} and ${name} in ${found.file} have the same ${what} ${path}.`,
        { hint },
      )
    taken.set(path, name)
  }
}

/** A pipeline's sections, completed by those beside `pipelines`. Options of another plugin aren't inherited. */
export function partOf({ $schema, pipelines, ...shared }: Tree, name: string | undefined): Tree {
  const own = name === undefined ? undefined : at(pipelines, [name])
  if (!isTree(own)) return shared
  const merge = (key: string, mine: unknown): unknown => {
    const common = shared[key]
    if (mine === undefined || !isTree(common)) return mine ?? common
    if (!isTree(mine)) return mine
    const use = mine['use'] ?? common['use']
    return {
      ...((key === 'source' || key === 'sink') && typeof use === 'string' ? choose(key, common, use) : common),
      ...mine,
    }
  }
  return Object.fromEntries(
    [...new Set([...Object.keys(shared), ...Object.keys(own)])].map((key) => [key, merge(key, own[key])]),
  )
}

/** A section for this plugin: without another plugin's options, but with owm's own keys. */
export function choose(key: 'source' | 'sink', section: unknown, use: string): Tree {
  if (!isTree(section)) return { use }
  if (section['use'] === use || section['use'] === undefined) return { ...section, use }
  return { ...Object.fromEntries(Object.entries(section).filter(([name]) => commonKeys[key].includes(name))), use }
}
