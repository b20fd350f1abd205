/**
 * What may stand at the cursor of an unfinished command line, by oclif's manifest: a new command, flag or option is
 * completed without more code.
 */

/** A possible word, and its description. */
export interface Choice {
  word: string
  about: string
}

interface Value {
  name: string
  hidden?: boolean | undefined
  summary?: string | undefined
  description?: string | undefined
  options?: readonly string[] | undefined
}

interface Flag extends Value {
  type: 'boolean' | 'option'
  char?: string | undefined
  multiple?: boolean | undefined
  helpValue?: string | string[] | undefined
}

/** As in oclif's manifest. */
export interface Command {
  /** Its words, joined by colons. */
  id: string
  hidden: boolean
  summary?: string | undefined
  description?: string | undefined
  flags: Readonly<Record<string, Flag>>
  args: Readonly<Record<string, Value>>
}

/** The values of the flags before the cursor, by name. */
export type Given = ReadonlyMap<string, readonly string[]>

export interface Question {
  /** The typed part of the word to complete. */
  typed: string
  /** What precedes it in the same word, such as `--state=`. */
  before: string
  choices: Choice[]
  /** A value without fixed choices: the flag or argument, and what the help calls the value, such as FILE. */
  value?: { name: string; kind: string }
  given: Given
}

/** @param words after `owm`, as the shell has split them, up to the one at the cursor */
export function questionOf(words: readonly string[], commands: readonly Command[]): Question {
  const line = joined(words).map(unquoted)
  const typed = line.pop() ?? ''
  if (line[0] === 'help') line.shift()
  const visible = commands.filter(({ hidden }) => !hidden)
  const command = visible
    .filter(({ id }) => beginsWith(line, id.split(':')))
    .toSorted((a, b) => b.id.length - a.id.length)[0]
  const { given, open, args, isOver } = readRest(line.slice(command?.id.split(':').length ?? 0), command)
  const question = { typed, before: '', choices: [], given }
  if (open) return { ...question, ...detailsOf(open) }
  const [, name = '', value = ''] = (!isOver && /^--([^=]+)=(.*)$/s.exec(typed)) || []
  const flag = command?.flags[name]
  if (flag) return { ...question, typed: value, before: `--${name}=`, ...detailsOf(flag) }
  if (typed.startsWith('-') && !isOver) return { ...question, choices: flagsOf(command, given) }
  const known = Object.values(command?.args ?? {})
  const arg = known[Math.min(args, known.length - 1)] // the last one may be repeated
  const about = arg ? detailsOf(arg) : question
  const choices = [...nextWords(line, visible), ...about.choices]
  return { ...question, ...about, choices: choices.length > 0 || arg || !command ? choices : flagsOf(command, given) }
}

/** How much of the word at the cursor the shell keeps: bash splits words at `=` and `:`. */
export function keptOf(words: readonly string[]): number {
  const last = words.at(-1) ?? ''
  return (joined(words).at(-1) ?? '').length - (isMark(last) ? 0 : last.length)
}

const isMark = (word: string | undefined): boolean => word !== undefined && /^[=:]+$/.test(word)

/** Joins what bash split at `=` and `:`. An empty word begins a new one. */
function joined(words: readonly string[]): string[] {
  const whole: string[] = []
  for (const [index, word] of words.entries()) {
    const isPart = index > 0 && word !== '' && (isMark(word) || isMark(words[index - 1]))
    whole.push(isPart ? `${whole.pop()}${word}` : word)
  }
  return whole
}

const unquoted = (word: string): string => word.replace(/^(["'])(.*?)\1?$/s, '$2')

const beginsWith = (line: readonly string[], words: readonly string[]): boolean =>
  words.every((word, index) => word === line[index])

/** Reads the flags and arguments between the command and the cursor. `open`: a flag whose value is next. */
function readRest(rest: readonly string[], command: Command | undefined) {
  const given = new Map<string, string[]>()
  let open: Flag | undefined
  let [args, isOver] = [0, false]
  for (const word of rest) {
    const [, dashes = '', name = '', value] = (!isOver && /^(--?)([^=-][^=]*)(?:=(.*))?$/s.exec(word)) || []
    if (open) {
      given.get(open.name)?.push(word)
      open = undefined
    } else if (name !== '') {
      const flag = Object.values(command?.flags ?? {}).find((one) => name === (dashes === '-' ? one.char : one.name))
      const values = given.get(flag?.name ?? name) ?? []
      given.set(flag?.name ?? name, values)
      if (value !== undefined) values.push(value)
      else if (flag?.type === 'option') open = flag
    } else if (word === '--') isOver = true
    else args += 1
  }
  return { given, open, args, isOver }
}

/** The next word of each command whose name begins with these words. */
function nextWords(line: readonly string[], commands: readonly Command[]): Choice[] {
  const next = new Map<string, string>()
  for (const { id, ...command } of commands) {
    const parts = id.split(':')
    const word = parts[line.length]
    if (word === undefined || !beginsWith(parts, line)) continue
    const isWhole = parts.length === line.length + 1
    if (isWhole || !next.has(word)) next.set(word, isWhole ? descriptionOf(command) : '')
  }
  return [...next].map(([word, about]) => ({ word, about }))
}

function flagsOf(command: Command | undefined, given: Given): Choice[] {
  const help = { name: 'help', char: 'h', description: 'show what this does and takes' }
  const flags: readonly (Value & Partial<Flag>)[] = [...Object.values(command?.flags ?? {}), help]
  return flags
    .filter(({ name, hidden, multiple }) => !hidden && (multiple || !given.has(name)))
    .flatMap((flag) => {
      const about = descriptionOf(flag)
      const short = flag.char === undefined ? [] : [{ word: `-${flag.char}`, about }]
      return [{ word: `--${flag.name}`, about }, ...short]
    })
}

function detailsOf(value: Value & Partial<Flag>): Pick<Question, 'choices' | 'value'> {
  const { name, options, helpValue = name.toUpperCase() } = value
  if (options) return { choices: options.map((word) => ({ word, about: '' })) }
  return { choices: [], value: { name, kind: String(helpValue) } }
}

/** In one line. */
const descriptionOf = ({ summary, description }: Pick<Value, 'summary' | 'description'>): string =>
  (summary ?? description ?? '').split('\n', 1).join('')
