/** `owm init`: writes a first configuration. */
import { hash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { mustBeSafe, usableOutbox } from '../../../config/check/files.js'
import { configurationsIn } from '../../../config/file/index.js'
import { configSchema } from '../../../config/json-schema.js'
import { addressesIn } from '../../../config/redact.js'
import { ConfigurationError, codeOf, isOfDisk, OutboxError, toError, UsageError } from '../../../errors/index.js'
import { statIfThere } from '../../../files/folders.js'
import type { Done } from '../../command.js'
import type { Surroundings } from '../../compose.js'
import { secrets } from '../../output.js'
import { cronIn, escaped, listIn, type Meant, pingIn, sinkIn } from './answers.js'
import { checkList, checkSink, type Database, isTransient, type ListCounts, tablesOf } from './check.js'
import { aboutTable, databaseInWords, isDatabase, whichTable } from './database.js'
import { type Question, Questions } from './questions.js'
import { type Section, settingsIn, starterWith } from './starter.js'

export type { ListCounts } from './check.js'

/** What `owm init --json` prints. */
export interface InitResult {
  path: string
  /** The JSON Schema that the starter refers to. */
  schema: string
  /** Of the list that was given. */
  list?: ListCounts
  /** Variables to set, each for a secret that isn't written to the file. */
  variables?: string[]
}

export const catchUps = ['latest', 'all'] as const

/** Answers from flags. There is no question for --catch-up: its default suits nearly everyone, and is in the file. */
interface Given {
  list?: string | undefined
  table?: string | undefined
  to?: string | undefined
  every?: string | undefined
  'catch-up'?: (typeof catchUps)[number] | undefined
  ping?: string | undefined
}

/** The answers; undefined leaves the starter's own. */
interface Answers {
  list: Meant | undefined
  to: Meant | undefined
  every: string | null | undefined
  /** Whether another outbox delivers to the same sink. */
  isShared: boolean
}

/** The hint after Ctrl-C or Ctrl-D. */
export const startAgain =
  'Nothing was written: `owm init` asks all of its questions again, or takes the answers as flags.'

/**
 * @param root where owm is installed
 * @param asks whether to prompt for what no flag gives
 */
export async function init(
  result: InitResult,
  root: string,
  given: Given,
  asks: boolean,
  around: Surroundings,
): Promise<Done<InitResult>> {
  const { path, schema } = result
  // At a terminal it stands for what the question offers; in a script it is a variable that isn't set.
  for (const flag of ['list', 'table', 'to', 'every', 'ping'] as const)
    if (given[flag]?.trim() === '')
      throw new UsageError(`--${flag} is empty.`, {
        hint: 'Is a variable not set? Leave the flag out for what owm would write.',
      })
  await mustBeSafe([path, schema], around.trustFolder)
  if (await statIfThere(path)) throw alreadyThere(path)
  const [other] = await configurationsIn(dirname(path))
  if (other !== undefined) throw anotherForm(other)
  const ping = given.ping === undefined ? undefined : pingIn(given.ping)
  const outbox = await outboxFor(dirname(path), around)
  secrets.add(...addressesIn([given.ping, ping?.written], path, outbox))
  const answers = await answersTo(given, asks, result, outbox, around)
  const catchUp = given['catch-up']
  if (catchUp !== undefined && answers.every === null) throw noTimes()
  const starter = await readFile(join(root, 'templates', 'owmrc.yaml'), 'utf8')
  const text = starterWith(starter, {
    outbox: escaped(outbox),
    source: answers.list?.written,
    sink: answers.to?.written,
    cron: answers.every,
    catchUp,
    ping: ping?.written,
    tasks: result.list && tasksOf(result.list),
    namespace: answers.isShared ? escaped(ownName(dirname(path))) : undefined,
  })
  await write(result, text, ping !== undefined)
  const isAnswered = asks || Object.values(given).some((answer) => answer !== undefined)
  return { result, summary: isAnswered ? settingsInWords(result, text, answers, ping) : starterInWords(result) }
}

/** Tries each answer, in order. A wrong one from a flag ends the command; at a terminal the question is repeated. */
async function answersTo(
  given: Given,
  asks: boolean,
  result: InitResult,
  outbox: string,
  around: Surroundings,
): Promise<Answers> {
  const folder = dirname(result.path)
  const terminal = asks ? new Questions(around.signal, startAgain) : undefined
  const answerTo = async <Of>(flag: string | undefined, question: Question<Of>): Promise<Of | undefined> => {
    if (flag === undefined) return terminal?.ask(question)
    const meant = question.understand(flag)
    const said = await question.tryOut(meant).catch((thrown: unknown) => {
      if (isTransient(thrown)) return `${toError(thrown).message} It is written all the same.`
      around.note('Nothing is written. To write a file all the same, and edit it then, leave the flag out.')
      throw thrown
    })
    if (said !== undefined) around.note(said)
    return meant
  }
  try {
    const discovered: Discovered = {}
    const read = async (section: Section): Promise<string> => {
      const { counts, said } = await checkList(section, folder, around)
      result.list = counts
      return said
    }
    const place = await answerTo(given.list, await aboutList(folder, read, discovered, around))
    const isTable = place !== undefined && isDatabase(place)
    if (!isTable && given.table !== undefined) throw noDatabase()
    const list = isTable ? await answerTo(given.table, aboutTable(place, discovered.database, read)) : place
    if (isTable && !list) throw whichTable(discovered.database)
    const to = await answerTo(given.to, aboutSink(folder, outbox, discovered, around))
    const every = await answerTo(given.every, aboutTimes)
    return { list, to, every, isShared: discovered.isShared ?? false }
  } finally {
    terminal?.close()
  }
}

/** Learned from trying the answers. */
interface Discovered {
  database?: Database
  /** Whether another outbox delivers to the same sink. */
  isShared?: boolean
}

const noTimes = (): UsageError =>
  new UsageError('--catch-up goes with a schedule, and there is to be none.', {
    hint: 'Give --every hourly, or leave it out.',
  })

const noDatabase = (): UsageError =>
  new UsageError('--table goes with a database in --list.', {
    hint: 'Such as --list postgres://user@host/database --table stations',
  })

async function aboutList(
  folder: string,
  read: (section: Section) => Promise<string>,
  discovered: Discovered,
  around: Surroundings,
): Promise<Question<Meant | undefined>> {
  const [only, ...others] = (await readdir(folder)).filter(
    (name) =>
      /\.(csv|tsv|json|ndjson|geojson)(\.gz)?$/i.test(name) && !/^(owm\.schema|package|tsconfig).*\.json$/.test(name),
  )
  const isFound = only !== undefined && others.length === 0
  return {
    text: '1. Where is the list of locations: a file, the URL of an API, or a database (postgres://…)?',
    ...(isFound ? { fallback: `./${only}` } : { fallback: 'two example cities', blank: '' }),
    understand: (answer) => (answer === '' ? undefined : listIn(answer, folder)),
    async tryOut(meant) {
      if (!meant) return undefined
      if (!isDatabase(meant)) return read(meant.real)
      discovered.database = await tablesOf(meant.real, folder, around)
      return databaseInWords(discovered.database)
    },
  }
}

const aboutSink = (folder: string, outbox: string, discovered: Discovered, around: Surroundings): Question<Meant> => ({
  text: '2. Where shall the tasks go: redis://…, postgres://…, or jsonl for a file?',
  fallback: around.env['OWM_REDIS_URL'] || around.env['REDIS_URL'] || 'redis://127.0.0.1:6379',
  understand: (answer) => sinkIn(answer, folder),
  async tryOut({ real }) {
    const { said, isShared } = await checkSink(real, folder, outbox, around)
    discovered.isShared = isShared
    return said
  },
})

const aboutTimes: Question<string | null> = {
  text: '3. How often: hourly, daily at 6, 15m, a cron expression (times are UTC), or none?',
  fallback: 'hourly',
  understand: cronIn,
  tryOut: async () => undefined,
}

const alreadyThere = (path: string, cause?: Error): ConfigurationError =>
  new ConfigurationError(`${path} exists already and is not overwritten.`, {
    hint: 'Edit it, or move it away first.',
    cause,
  })

/** Beside it the new file would either not count, or let the list of the old one go out no more. */
const anotherForm = (path: string): ConfigurationError =>
  new ConfigurationError(`${path} is a configuration already, and only one of a folder counts.`, {
    hint: 'Edit it, or move it away first.',
  })

/** @param isPrivate whether other users mustn't read the file */
async function write({ path, schema }: InitResult, text: string, isPrivate: boolean): Promise<void> {
  const schemaText = `${JSON.stringify(await configSchema(), null, 2)}\n`
  try {
    await writeFile(path, text, { flag: 'wx', mode: isPrivate ? 0o600 : 0o666 })
    // The schema is generated: an older one is overwritten.
    await writeFile(schema, schemaText)
  } catch (thrown) {
    const cause = toError(thrown)
    if (codeOf(cause) === 'EEXIST') throw alreadyThere(path, cause)
    await rm(path, { force: true }) // a partial file would block the next try
    const what = `${path} can't be written: ${cause.message}.`
    if (isOfDisk(cause)) throw new OutboxError(what, { hint: 'Make room there, and run again.', cause })
    throw new ConfigurationError(what, { hint: 'Start owm init in a folder that you may write to.', cause })
  }
}

const starterInWords = ({ path, schema }: InitResult): string[] => [
  `Wrote ${path}, and ${schema}, with which editors complete it.`,
  'Edit the first, then try `owm produce --dry-run`; `owm init --print crontab` prints what starts it each hour.',
]

/** The settings in the file, and what to do next. */
function settingsInWords(
  result: InitResult,
  text: string,
  { list, to, every }: Answers,
  ping: Pick<Meant, 'variables'> | undefined,
): string[] {
  const variables = [list, to, ping].flatMap((meant) => [...(meant?.variables.keys() ?? [])])
  if (variables.length > 0) result.variables = variables
  return [
    `Wrote ${result.path}:`,
    '',
    ...settingsIn(text).map((line) => `  ${line}`),
    '',
    ...variables.map((name) => `The secret isn't in the file. Set it for each start: export ${name}=…`),
    'Next: `owm produce --dry-run` shows the tasks, `owm produce` delivers them.',
    ...(every === null ? [] : ['Then: (crontab -l 2>/dev/null; owm init --print crontab) | crontab -']),
  ]
}

/**
 * In the user's folder for state (XDG Base Directory Specification), in a folder of this configuration's own; beside
 * the configuration for a user without a home, as in many containers.
 */
async function outboxFor(folder: string, { env, trustFolder, note }: Surroundings): Promise<string> {
  const { XDG_STATE_HOME = '' } = env
  const isGiven = isAbsolute(XDG_STATE_HOME)
  const path = join(isGiven ? XDG_STATE_HOME : join(homedir(), '.local', 'state'), 'owm', ownName(folder), 'outbox.db')
  const isUsable = (isGiven || homedir() !== '/') && (await isDone(usableOutbox(path, trustFolder)))
  if (isUsable) return path
  const beside = join(folder, 'outbox.db')
  note(`This user has no home that can be written: the outbox is to be ${beside}.`)
  return beside
}

const isDone = (work: Promise<void>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )

/** Unique to the folder: its name and a hash of its path. */
const ownName = (folder: string): string =>
  `${basename(folder).slice(0, 100)}-${hash('sha1', folder, 'hex').slice(0, 8)}`

const tasksOf = ({ read, rejected, duplicates }: ListCounts): number => read - rejected - duplicates
