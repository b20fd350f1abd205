/** The base of all commands: common flags, signals, exit codes. */
import { setMaxListeners } from 'node:events'
import { Command } from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'
import type { FlagInput, InferredFlags, Input, OutputFlags, ParserOutput } from '@oclif/core/interfaces'
import type { Loaded } from '../config/load.js'
import type { Overrides } from '../config/values/overrides.js'
import { ConfigurationError, exitCodes, OutboxError, type OwmError, toError } from '../errors/index.js'
import { logFormats, logLevels } from '../observe/log.js'
import { traceContextIn } from '../observe/trace-context.js'
import { isTree } from '../tasks/json/tree.js'
import { trustFound } from '../trust.js'
import type { Surroundings } from './compose.js'
import { mustNotBeEmpty } from './flags.js'
import { lossOfOutput, secrets } from './output.js'
import { endOf, endOfThrown, exitCodeOf, inWords, type Received, Report, wantsJson } from './report.js'

/** The flags that every command has. */
export type BaseFlags = InferredFlags<typeof OwmCommand.baseFlags>

/** Values of flags or arguments, of any command. */
type Values = OutputFlags<FlagInput>

/** What a command did: printed as JSON or in words. The worst error decides the exit code. */
export interface Done<Result> {
  result: Result
  /** The summary in words, a line each. */
  summary: string[]
  errors?: readonly OwmError[]
  /** Whether the summary is printed even with --quiet. */
  matters?: boolean
  /** Whether a signal ended an idle wait, which is no failure. */
  isStopped?: boolean
}

/** The chosen pipelines, and how to read the configuration of one. */
export interface Pipelines {
  /** [undefined] if the file has none. */
  readonly names: readonly (string | undefined)[]
  /** @param without sections to ignore */
  configure(pipeline: string | undefined, without?: readonly string[]): Promise<Loaded>
}

interface Delivering {
  /** Whether the sink will be written to. */
  delivers?: boolean
}

export abstract class OwmCommand<Result extends object> extends Command {
  static override enableJsonFlag = true
  static override usage: string | string[] = '<%= command.id %> [FLAGS]'
  static override baseFlags = {
    json: Flags.boolean({ description: 'print the result as JSON', helpGroup: 'GLOBAL' }),
    config: Flags.string({ description: 'configuration file', helpValue: 'FILE', helpGroup: 'GLOBAL' }),
    pipeline: Flags.string({ description: 'which of several pipelines', helpValue: 'NAME', helpGroup: 'GLOBAL' }),
    source: Flags.string({
      description: 'source: the name of a built-in, a package or a path',
      helpValue: 'NAME',
      helpGroup: 'GLOBAL',
    }),
    sink: Flags.string({
      description: 'sink: the name of a built-in, a package or a path',
      helpValue: 'NAME',
      helpGroup: 'GLOBAL',
    }),
    outbox: Flags.string({ description: 'file of the SQLite outbox', helpValue: 'PATH', helpGroup: 'GLOBAL' }),
    'trust-folder': Flags.boolean({
      description: "trust the outbox's folder",
      env: 'OWM_TRUST_FOLDER',
      helpGroup: 'GLOBAL',
    }),
    set: Flags.string({
      description: 'one setting, such as source.count=1000',
      helpValue: 'PATH=VALUE',
      multiple: true,
      multipleNonGreedy: true,
      helpGroup: 'GLOBAL',
    }),
    'log-level': Flags.option({
      options: logLevels,
      default: 'warn' as const,
      helpValue: 'LEVEL',
      description: 'what is logged: silent, error, warn, info, debug or trace',
      helpGroup: 'GLOBAL',
    })(),
    'log-format': Flags.option({
      options: logFormats,
      helpValue: 'FORM',
      description: 'form of the log: words or json',
      helpGroup: 'GLOBAL',
    })(),
    'trust-config': Flags.boolean({
      description: 'trust found configuration and plugins of any owner',
      helpGroup: 'GLOBAL',
    }),
    quiet: Flags.boolean({ char: 'q', description: 'print nothing but trouble', helpGroup: 'GLOBAL' }),
  }

  /** Whether it writes to the outbox or the sink. Its exit code then reports that work, even if its output is lost. */
  protected readonly changes: boolean = false
  /** Whether `--json` prints several results, one per line. */
  protected readonly printsLines: boolean = false
  /** Filled while the command works, so that `--json` has the same shape after an error. */
  protected abstract result: Result
  protected report = new Report({ level: 'warn', isJson: wantsJson(this.argv) })
  readonly #abort = new AbortController()
  #trustFolder = false
  #isDryRun = false
  #delivers = false
  /** Fields of every log line, whichever run it is about. */
  #aboutAll: Readonly<Record<string, string>> = {}
  #received: Received
  /** Whether the pipelines' names were read: the pipelines are then taken from what was read. */
  #hasNames = false

  protected abstract work(): Promise<Done<Result>>

  override async run(): Promise<void> {
    setMaxListeners(0, this.#abort.signal) // plugins may add any number of listeners
    const stopListening = this.#listen()
    try {
      const { result, summary, errors = [], isStopped = false, matters = false } = await this.work()
      this.result = result
      const error = endOf(errors, isStopped ? undefined : this.#received)
      this.tell(result, { summary, errors, matters }, error)
      if (error) process.exitCode = exitCodeOf(error)
    } finally {
      stopListening()
    }
  }

  /** The hint after a signal, for a command that doesn't resume. */
  protected readonly ifInterrupted: string | undefined = undefined

  protected override async catch(thrown: Error): Promise<void> {
    const flags = Object.keys({ ...this.ctor.baseFlags, ...this.ctor.flags })
    this.#fail(inWords(endOfThrown(thrown, this.#received, this.ifInterrupted), this.id ?? '', flags))
  }

  /** Never exits 0 if output was lost; a command that changed something only warns. */
  protected override async finally(): Promise<void> {
    const cause = await lossOfOutput()
    if (!cause) return
    if (this.changes && !this.#isDryRun) {
      const reason = cause.message
      const log = await this.report.logger()
      return log.warn({ event: 'output-lost', reason }, "what it prints can't be written; what was done stays done")
    }
    const error = new OutboxError(`What it prints can't be written to standard output: ${cause.message}.`, {
      hint: 'Make room there, or let it print to another place.',
      cause,
    })
    this.report.errors([error])
    process.exitCode ||= exitCodeOf(error)
  }

  #fail(error: Error): void {
    this.tell(this.result, { summary: [], errors: [] }, error)
    process.exitCode = exitCodeOf(error)
  }

  /** Prints the result, and the error that ended the command. */
  protected tell(
    result: object,
    { summary, errors = [], matters = false }: Pick<Done<object>, 'summary' | 'errors' | 'matters'>,
    error?: Error,
  ): void {
    this.report.bar.clear()
    if (this.jsonEnabled()) this.report.json(result, error, this.printsLines)
    else {
      this.report.summary(summary, matters || error !== undefined)
      if (error) this.report.errors([error, ...errors.filter((other) => other !== error)])
    }
  }

  /**
   * Aborts the work at the first signal. A second one ends the process, and so does an uncaught exception, such as
   * from a plugin's timer: the outbox is safe at any moment.
   */
  #listen(): () => void {
    const onFault = (thrown: unknown): void => {
      this.#fail(toError(thrown))
      process.exit(exitCodes.internal)
    }
    process.prependListener('uncaughtException', onFault)
    const listeners = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => {
      const listener = (): void => {
        // When a terminal is closed, both the kernel and the shell may send it.
        if (this.#received && signal === 'SIGHUP') return
        if (this.#received) process.exit(signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated)
        this.#received = signal
        this.#abort.abort()
      }
      // Those of bin/run.js would end the process. Add ours before removing them: with no listener, a signal that is
      // already pending would be lost.
      const others = process.listeners(signal)
      process.on(signal, listener)
      for (const other of others) process.off(signal, other)
      return (): unknown => process.off(signal, listener)
    })
    return () => {
      process.off('uncaughtException', onFault)
      for (const stop of listeners) stop()
    }
  }

  /** Parses the command line, and applies the flags that every command has. */
  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options?: Input<F, B, A>,
    argv?: string[],
  ): Promise<ParserOutput<F, B, A>> {
    const parsed = await super.parse(options, argv)
    this.#applyFlags(parsed.flags)
    if (this.id?.startsWith('outbox:')) mustNotBeEmpty(parsed.flags)
    return parsed
  }

  #applyFlags(flags: Values): void {
    const { 'log-level': level, 'log-format': format, quiet } = flags
    this.#isDryRun = flags['dry-run'] === true
    this.#trustFolder = flags['trust-folder'] === true
    this.report = new Report({ level, format, quiet, isJson: this.jsonEnabled() })
    const trace = traceContextIn(process.env['TRACEPARENT'] ?? '')
    this.#aboutAll = trace ? { trace_id: trace.traceId, span_id: trace.spanId } : {}
    this.#about({})
  }

  #about(fields: Readonly<Record<string, string>>): void {
    this.report.about = { event: 'plugin', ...this.#aboutAll, ...fields }
  }

  /** What the parts get from this command. */
  protected get surroundings(): Surroundings {
    return {
      command: `owm ${this.id?.replaceAll(':', ' ')}`,
      signal: this.#abort.signal,
      trustFolder: this.#trustFolder,
      env: process.env,
      now: Date.now,
      received: () => this.#received,
      about: (fields) => this.#about(fields),
      isTerminal: process.stderr.isTTY === true,
      logger: () => this.report.logger(),
      note: (text, fields) => this.report.note(text, fields),
      onProgress: this.report.bar.update,
      leaveStandardOutput: () => this.#leaveStandardOutput(),
    }
  }

  /** For commands that don't use the source, and so don't need its secrets. */
  protected async configureSink(flags: BaseFlags & Pick<Overrides, 'only'> & Delivering): Promise<Loaded> {
    return this.configure({ ...flags, withoutSource: true })
  }

  /** Reads the configuration. Its secrets are masked in all output from here on. */
  protected async configure(
    flags: BaseFlags &
      Pick<Overrides, 'shard' | 'produces' | 'withoutSource' | 'without' | 'only' | 'asWritten'> &
      Delivering,
  ): Promise<Loaded> {
    // A start that failed reads parts of the configuration again, only to report that.
    const delivers = flags.delivers === true && flags.only === undefined
    await this.#trust(flags)
    const { loadConfig } = await import('../config/load.js')
    const overrides = { ...flags, isAgain: this.#hasNames }
    const loaded = await loadConfig(overrides, process.env, process.cwd(), secrets)
    if (flags.withoutSource && !delivers && !flags.asWritten) await this.#keepSecretsOfPlugins(loaded)
    if (!this.jsonEnabled()) this.report.logFormat = loaded.settings.log.format
    this.#delivers ||= delivers
    return loaded
  }

  /** Throws ConfigurationError. */
  #leaveStandardOutput(): void {
    if (!this.#delivers) return
    this.report.summaryToStandardError = true
    if (this.jsonEnabled())
      throw new ConfigurationError('The tasks and --json would both be written to standard output.', {
        hint: 'Leave --json out, or let the sink write to another place, such as a file.',
      })
  }

  /** Stored reasons may quote secrets that only a plugin's schema marks. A plugin that can't be loaded is skipped. */
  async #keepSecretsOfPlugins({ plugins, baseDir }: Loaded): Promise<void> {
    const [{ loadPlugin }, { optionSecrets }] = await Promise.all([
      import('../plugins/load.js'),
      import('../config/section.js'),
    ])
    for (const section of plugins) {
      if (!isTree(section) || typeof section['use'] !== 'string') continue
      const plugin = await loadPlugin(section['use'], baseDir).catch(() => undefined)
      if (plugin) secrets.add(...optionSecrets(section, plugin))
    }
  }

  /** Trusts what the user named, by a flag or a variable; a configuration that was found can't trust itself. */
  async #trust(flags: BaseFlags): Promise<void> {
    const { OWM_TRUST_CONFIG, OWM_CONFIG } = process.env
    if (!flags['trust-config'] && OWM_TRUST_CONFIG !== '1' && !flags.config && !OWM_CONFIG) return
    trustFound()
  }

  /** The named pipeline, or else all of them; [undefined] if the file has none. */
  protected async pipelines(flags: BaseFlags): Promise<(string | undefined)[]> {
    await this.#trust(flags)
    const { pipelinesOf } = await import('../config/load.js')
    this.#hasNames = true
    const names = await pipelinesOf(flags, process.env, process.cwd())
    return names.length > 0 ? names : [undefined]
  }

  /** For checks, which say themselves if the file can't be read. */
  protected async pipelinesToCheck(flags: BaseFlags & Pick<Overrides, 'shard'>): Promise<Pipelines> {
    const names = await this.pipelines(flags).catch(() => [undefined])
    return { names, configure: (pipeline, without) => this.configure({ ...flags, pipeline, without }) }
  }

  /** For commands that show runs: a mistake in the source, the sink or the schedule hides none. */
  protected async pipelinesWithRuns(flags: BaseFlags): Promise<Pipelines> {
    const load = (pipeline: string | undefined, only: string[]) => this.configureSink({ ...flags, pipeline, only })
    return {
      names: await this.pipelines(flags),
      configure: (pipeline) =>
        load(pipeline, ['outbox', 'schedule', 'source'])
          .catch(() => load(pipeline, ['outbox', 'schedule']))
          .catch(() => load(pipeline, ['outbox'])),
    }
  }

  /** The configuration of each pipeline. */
  protected async configureAll(flags: Parameters<typeof this.configure>[0]): Promise<Loaded[]> {
    const pipelines = await this.pipelines(flags)
    return Promise.all(pipelines.map((pipeline) => this.configure({ ...flags, pipeline })))
  }
}
