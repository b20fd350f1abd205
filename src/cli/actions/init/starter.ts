/** The text of a new configuration: the commented starter, with what was answered put in. Pure. */

/** A section: its keys in order, with text, a list, or one level of text below. */
export type Section = Readonly<Record<string, string | readonly string[] | Readonly<Record<string, string>>>>

/** What is put in; where a part is undefined, the starter's own stays. */
export interface Parts {
  readonly outbox: string
  readonly source?: Section | undefined
  readonly sink?: Section | undefined
  /** A cron expression; null for none. */
  readonly cron?: string | null | undefined
  readonly ping?: string | undefined
}

const comments: Readonly<Record<string, string>> = {
  use: "a built-in's name, a package, or a path to a module",
  file: 'docs/sources.md says what it may look like; `fields:` maps columns',
  query: 'add WHERE … to leave places out',
  path: 'a task a line; - is standard output',
}

export function starterWith(starter: string, { outbox, source, sink, cron, ping }: Parts): string {
  const changes: [RegExp, string | undefined][] = [
    [/__OUTBOX__/, scalar(outbox)],
    [/^source:\n(?: .*\n)+/m, source && `source:\n${linesOf(source)}`],
    // What this sink has besides stays as it is.
    [/^ {2}url: redis:.*\n/m, sink?.['use'] === 'redis-stream' ? linesOf(withoutUse(sink)) : undefined],
    [/^sink:\n(?: .*\n)+(?:#.*\n)*/m, sink && sink['use'] !== 'redis-stream' ? `sink:\n${linesOf(sink)}` : undefined],
    [/^ {2}cron: "0 \* \* \* \*"/m, cron ? `  cron: ${JSON.stringify(cron)}` : undefined],
    [/^# notify:\n# {3}ping: .*\n/m, ping === undefined ? undefined : `notify:\n${linesOf({ ping })}`],
  ]
  const text = changes.reduce(
    (before, [place, put]) => (put === undefined ? before : before.replace(place, () => put)),
    starter,
  )
  const asComment = (lines: string): string => lines.replaceAll(/^(?=.)/gm, '# ')
  return cron === null ? text.replace(/^schedule:\n(?: .*\n)+/m, asComment) : text
}

const withoutUse = ({ use: _, ...rest }: Section): Section => rest

const linesOf = (section: Section): string =>
  Object.entries(section)
    .map(([key, value]) => {
      const line = `  ${key}: ${typeof value === 'string' ? scalar(value) : JSON.stringify(value)}`
      return comments[key] === undefined ? `${line}\n` : `${line.padEnd(29)} # ${comments[key]}\n`
    })
    .join('')

/** In quotes, but for what YAML reads as this very text; a query has quotes of its own. */
function scalar(text: string): string {
  if (/^(?!(?:true|false|null|\.inf|\.nan)$)[./a-z][\w./:@${}?=&%~+-]*[\w}/]$/i.test(text)) return text
  return text.includes('"') && !/['\p{Cc}]/u.test(text) ? `'${text}'` : JSON.stringify(text)
}

/** What of a configuration's text isn't comment: its settings. */
export const settingsIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => /^ *[^ #]/.test(line))
    .map((line) => line.replace(/ +# [^"]*$/, ''))
