/** `owm init --print`: what cron, systemd or Kubernetes needs to start owm with this folder's configuration. */
import { userInfo } from 'node:os'
import { dirname, relative, resolve } from 'node:path'
import type { Loaded } from '../../../config/load.js'
import { crontab } from '../../../deploy/crontab.js'
import { kubernetes } from '../../../deploy/kubernetes.js'
import type { Part, Start } from '../../../deploy/start.js'
import { systemd } from '../../../deploy/systemd.js'
import { ConfigurationError, UsageError } from '../../../errors/index.js'
import { namedAfter } from '../../../files/folders.js'
import { compact } from '../../../lists.js'
import { indexVariable } from '../../../tasks/shard.js'
import type { BaseFlags, Done } from '../../command.js'
import { mustHaveSchedule, type Surroundings } from '../../compose.js'
import { harmless, harmlessJson } from '../../format.js'
import { asEntered, placeOf } from '../../owner.js'

export const schedulers = ['crontab', 'systemd', 'kubernetes'] as const

/** What `owm init --print SCHEDULER --json` prints. */
export interface PrintResult {
  scheduler: (typeof schedulers)[number]
  /** The files to install. */
  files: Part[]
}

/** @param pipelines the chosen ones */
export async function print(
  result: PrintResult,
  pipelines: readonly Loaded[],
  flags: BaseFlags,
  { env, now }: Surroundings,
): Promise<Done<PrintResult>> {
  const ofPipelines = await Promise.all(
    pipelines.map(async (loaded) => ({ loaded, start: await startOf(loaded, flags, env) })),
  )
  const isKubernetes = result.scheduler === 'kubernetes'
  const starts = isKubernetes ? ofPipelines.map(({ start }) => start) : ofPipelines.flatMap(ofShards)
  result.files = {
    crontab: () => crontab(starts, now()),
    systemd: () => systemd(starts, now()),
    kubernetes: () => kubernetes(starts, now()),
  }[result.scheduler]()
  return {
    result,
    summary: result.files
      .map(({ text }) => text.trimEnd())
      .join('\n\n')
      .split('\n'),
  }
}

async function startOf(loaded: Loaded, flags: BaseFlags, env: Surroundings['env']): Promise<Start> {
  const { file, named, cwd, pipeline, settings, references } = loaded
  if (file === undefined)
    throw new ConfigurationError(`There is no configuration in ${cwd}.`, {
      hint: '`owm init` writes a starter .owmrc.yaml; --config FILE names an existing file.',
    })
  const { shards, shard } = settings.source ?? {}
  if (shards !== undefined && shard !== undefined)
    throw new ConfigurationError('source.shards and source.shard are both set.', { hint: 'Leave one of them out.' })
  const paths = {
    node: process.execPath,
    program: process.argv[1] ?? '',
    folder: await asEntered(cwd, env),
    config: await placeOf(loaded, env),
    named: named ?? relative(cwd, file),
  }
  const start: Start = {
    ...paths,
    index: undefined,
    isLink: paths.folder !== cwd,
    name: pipeline === undefined ? 'owm' : `owm-${pipeline}`,
    user: user(),
    flags: flagsOf(loaded, flags),
    schedule: mustHaveSchedule(loaded),
    shards,
    shard,
    variables: [
      ...references.names,
      ...Object.keys(env).filter((name) => overriding.includes(name) && env[name]),
      ...(shards === undefined ? [] : [indexVariable]),
    ],
    ...filesOf(references.files),
    ...writesOf(loaded),
  }
  const { flags: given, writes, otherFiles, secretFiles } = start
  for (const text of [...Object.values(paths), ...given, ...writes, ...otherFiles, ...secretFiles])
    mustBePrintable(text, loaded, flags.json)
  return { ...start, variables: [...new Set(start.variables)] }
}

/** Only Kubernetes gives each process its index: elsewhere each shard has a start, and an outbox, of its own. */
function ofShards({ start, loaded }: { start: Start; loaded: Loaded }): Start[] {
  const { shards, name, flags } = start
  if (shards === undefined) return [start]
  const path = loaded.settings.outbox.path
  const written = loaded.origins.written(['outbox', 'path'])
  const isVariable = typeof written === 'string' && written.includes('${')
  const isOwn = isVariable && written.includes(indexVariable)
  if (isVariable && !isOwn)
    throw new ConfigurationError(`outbox.path is ${written} for all ${shards} shards.`, {
      hint: `Let it differ by shard: add \${${indexVariable}} to its name.`,
    })
  const at = flags.indexOf('--outbox')
  const others = at < 0 ? flags : flags.toSpliced(at, 2)
  return Array.from({ length: shards }, (_, index) => {
    const own = `${index}-of-${shards}`
    return {
      ...start,
      index,
      name: `${name}-${own}`,
      flags: isOwn ? flags : [...others, '--outbox', namedAfter(own, path)],
      variables: start.variables.filter((variable) => variable !== indexVariable),
    }
  })
}

/** Variables that override a key of the configuration. */
const overriding = ['OWM_SOURCE', 'OWM_SINK', 'OWM_OUTBOX', 'OWM_REDIS_URL']

/** The flags of this call, so that a start uses the same configuration. */
function flagsOf({ pipeline, settings }: Loaded, flags: BaseFlags): string[] {
  const { source, sink, outbox, set = [] } = flags
  return compact(
    ...(pipeline === undefined ? [] : ['--pipeline', pipeline]),
    ...(source ? ['--source', source] : []),
    ...(sink ? ['--sink', sink] : []),
    ...(outbox ? ['--outbox', settings.outbox.path] : []),
    ...set.flatMap((assignment) => ['--set', assignment]),
    flags['trust-folder'] && '--trust-folder',
  )
}

function mustBePrintable(text: string, { secrets }: Loaded, isJson: boolean): void {
  if (secrets.isIn(text))
    throw new UsageError('A flag has a secret, which would stand in what is printed.', {
      hint: 'Write it into the configuration, as ${NAME} or ${file:…}.',
    })
  if (/\p{Cc}/u.test(text))
    throw new ConfigurationError(`${JSON.stringify(text)} has a line feed or another control character.`, {
      hint: 'Give the file or the folder another name.',
    })
  // Replaced in all that is printed for people; this is for a scheduler, which wouldn't find the file. JSON escapes it.
  if (!isJson && harmless(text) !== text)
    throw new ConfigurationError(`${harmlessJson(JSON.stringify(text))} has a mark of direction or of a line's end.`, {
      hint: 'Give the file or the folder another name; or use what --json prints, where such marks are escaped.',
    })
}

/** Folders that owm writes to; as written in the configuration if they depend on the environment. */
function writesOf(loaded: Loaded): Pick<Start, 'writes' | 'otherFiles'> {
  const { settings, origins, baseDir } = loaded
  const { outbox, sink, metrics } = settings
  const named = (path: string[], value: string): string => {
    const written = origins.written(path)
    return typeof written === 'string' && written.includes('${') ? written : resolve(baseDir, value)
  }
  const file = sink?.use === 'jsonl' ? sink['path'] : undefined
  const otherFiles = [
    ...(typeof file !== 'string' || file === '-' ? [] : [named(['sink', 'path'], file)]),
    ...(metrics?.textfile === undefined ? [] : [named(['metrics', 'textfile'], metrics.textfile)]),
  ]
  const files = [named(['outbox', 'path'], outbox.path), ...otherFiles]
  return { writes: [...new Set(files.map((path) => dirname(path)))], otherFiles }
}

/** systemd's credentials by their names, and the other files with secrets by their paths. */
function filesOf(paths: Iterable<string>): Pick<Start, 'credentials' | 'secretFiles'> {
  const files = { credentials: [] as string[], secretFiles: [] as string[] }
  for (const path of paths) {
    const [, name] = /^\$\{?CREDENTIALS_DIRECTORY\}?\/([\w.-]+)$/.exec(path) ?? []
    if (name === undefined) files.secretFiles.push(path)
    else files.credentials.push(name)
  }
  return files
}

/** The user's name, or number if it has none. */
function user(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? '')
  }
}
