/** Turns the answers to `owm init` into sections. Secrets in them are replaced by variables. */
import { homedir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { holdsSecret } from '../../../config/redact.js'
import { UsageError } from '../../../errors/index.js'
import { cronOf } from '../../../schedule/every.js'
import { mistakeIn } from '../../../schedule/timetable.js'
import { percentDecoded } from '../../../words.js'
import type { Section } from './starter.js'

/** A section as it is written to the file, and with its variables replaced. */
export interface Meant {
  readonly written: Section
  readonly real: Section
  /** The secrets, by the names of their variables. */
  readonly variables: ReadonlyMap<string, string>
}

export const plainly = (section: Section): Meant => ({
  written: Object.fromEntries(
    Object.entries(section).map(([key, value]) => [key, typeof value === 'string' ? escaped(value) : value]),
  ),
  real: section,
  variables: new Map(),
})

/** Escapes `${`, which would begin a variable. */
export const escaped = (text: string): string => text.replaceAll('${', () => '$${')

/** A path that was typed, dropped on the terminal, or quoted out of habit. */
function pathOf(answer: string): string {
  const text = answer.replace(/^(['"])(.*)\1$/, '$2')
  if (text.startsWith('file://') && URL.canParse(text)) return fileURLToPath(text)
  return /^~(?=\/|$)/.test(text) ? join(homedir(), text.slice(1)) : text
}

/** A path as written in the configuration in `folder`: relative if it lies below. */
function inFolder(path: string, folder: string): string {
  const below = relative(folder, resolve(folder, path))
  return below === '' || below.startsWith('..') ? resolve(folder, path) : `./${below}`
}

/** The list: a file, the URL of an API, or a database without its table yet. Throws UsageError. */
export function listIn(answer: string, folder: string): Meant {
  if (/^https?:\/\//i.test(answer)) return ofApi(answer)
  if (/^(postgres(ql)?|mysql|mariadb):\/\//i.test(answer)) return ofServer('sql', answer, 'LIST')
  if (/^sqlite:.|\.(db|sqlite3?)$/i.test(answer))
    return plainly({ use: 'sql', url: inFolder(pathOf(answer.replace(/^sqlite:(\/\/)?/i, '')), folder) })
  if (/^(?!file:)[a-z][\w+.-]*:\/\//i.test(answer))
    throw new UsageError('A list is a file, the URL of an API, or a database: http(s)://, postgres:// or mysql://.', {
      hint: 'What else owm reads, docs/sources.md says: write it into the file that `owm init` without --list makes.',
    })
  return plainly({ use: 'static-list', file: inFolder(pathOf(answer), folder) })
}

function ofApi(answer: string): Meant {
  const { bare, username, password } = splitUrl(answer)
  const { url, variables } = withoutTokens(bare, 'LIST')
  const isOpen = username === '' && password === ''
  if (!isOpen) variables.set('LIST_PASSWORD', password)
  const auth = (secret: string): Section => (isOpen ? {} : { auth: { user: username, password: secret } })
  return {
    written: { use: 'http', url, ...auth('${LIST_PASSWORD}') },
    real: { use: 'http', url: bare, ...auth(password) },
    variables,
  }
}

/** Replaces secrets in a URL's query by variables. */
function withoutTokens(text: string, prefix: string): { url: string; variables: Map<string, string> } {
  const variables = new Map<string, string>()
  const url = escaped(text).replaceAll(
    /([?&]([\w.~[\]-]{1,64})=)([^\s&#]+)/g,
    (all, start: string, name: string, value: string) => {
      if (!holdsSecret(name)) return all
      const variable = `${prefix}_${name.toUpperCase().replaceAll(/\W/g, '_')}`
      variables.set(variable, value)
      return `${start}\${${variable}}`
    },
  )
  return { url, variables }
}

/** The sink. Throws UsageError. */
export function sinkIn(answer: string, folder: string): Meant {
  if (/^rediss?:\/\//i.test(answer)) return ofServer('redis-stream', answer, 'REDIS')
  if (/^postgres(ql)?:\/\//i.test(answer)) return ofServer('postgres', answer, 'POSTGRES')
  if (answer === 'jsonl') return plainly({ use: 'jsonl', path: './tasks.jsonl' })
  const path = pathOf(answer)
  if (/\.(jsonl|ndjson)$/i.test(path)) return plainly({ use: 'jsonl', path: inFolder(path, folder) })
  throw new UsageError(`${answer} is none of redis://…, rediss://…, postgres://… and jsonl.`, {
    hint: /^[\w.-]+(:\d+)?$/.test(answer)
      ? `Is it a Redis? Then write redis://${answer}`
      : 'A file of tasks ends in .jsonl; docs/sinks.md has the others.',
  })
}

/** Moves the password into an option of its own, where it isn't percent-encoded. */
function ofServer(use: string, answer: string, prefix: string): Meant {
  const { bare, username, password } = splitUrl(answer)
  const { url, variables } = withoutTokens(password === '' ? answer : bare, prefix)
  const real = { use, url: answer }
  if (password === '') return { written: { use, url }, real, variables }
  variables.set(`${prefix}_PASSWORD`, password)
  // redis-stream wants both in the URL or neither, postgres and sql the user in the URL.
  const isInUrl = use !== 'redis-stream'
  const name = username === '' ? '' : `${encodeURIComponent(username)}@`
  const written = {
    use,
    url: isInUrl ? url.replace('://', () => `://${name}`) : url,
    ...(isInUrl || username === '' ? {} : { username: escaped(username) }),
    password: `\${${prefix}_PASSWORD}`,
  }
  return { written, real, variables }
}

/** A URL without user and password, and these, decoded. What is no URL is kept: trying it reports the mistake. */
function splitUrl(text: string): { bare: string; username: string; password: string } {
  if (!URL.canParse(text)) return { bare: text, username: '', password: '' }
  const { username, password } = new URL(text)
  const bare = text.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1')
  return { bare, username: percentDecoded(username), password: percentDecoded(password) }
}

/** A cron expression; null for no schedule. Throws UsageError. */
export function cronIn(answer: string): string | null {
  if (/^none$/i.test(answer)) return null
  const cron = cronOf(answer) ?? answer
  const mistake = mistakeIn(cron)
  if (mistake === undefined) return cron
  throw new UsageError(`"${answer}" says no times: ${mistake}.`, {
    hint: 'Say hourly, daily, daily at 6, 15m, 6h, "0 */6 * * *" or none; times are UTC.',
  })
}

/** The URL to ping. Its password becomes a variable, percent-encoded as in the URL. Throws UsageError. */
export function pingIn(answer: string): Pick<Meant, 'variables'> & { written: string } {
  if (!/^https?:\/\//i.test(answer) || !URL.canParse(answer))
    throw new UsageError('--ping: the URL of a check is expected.', { hint: 'Such as https://hc-ping.com/your-id' })
  const [, start = '', password, rest = ''] = /^(https?:\/\/[^/?#:@]*:)([^/?#]+)(@.*)$/is.exec(answer) ?? []
  if (password === undefined) return { written: escaped(answer), variables: new Map() }
  const written = `${escaped(start)}\${PING_PASSWORD}${escaped(rest)}`
  return { written, variables: new Map([['PING_PASSWORD', password]]) }
}
