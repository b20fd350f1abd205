/**
 * The base of all commands and the one composition root: flags and
 * configuration become the parts that the pipeline works with.
 */
import { Command } from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'
import type { Loaded } from '../config/load.js'
import { passwordsIn, redactor } from '../config/redact.js'
import {
  ConfigurationError,
  exitCodes,
  InterruptedError,
  OutboxBusyError,
  OwmError,
  toError,
  UsageError,
} from '../errors/index.js'
import type { BreakerName, Outbox } from '../outbox/outbox.js'
import type { Tally } from '../pipeline/filters.js'
import type { SinkDeps, SourceDeps } from '../pipeline/parts.js'
import type { Resilience } from '../pipeline/retry.js'
import type { Logger, PluginContext, Source } from '../plugin.js'
import { harmless, ProgressBar } from './terminal.js'

const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const
type LogLevel = (typeof logLevels)[number]

export interface BaseFlags {
  config?: string | undefined
  pipeline?: string | undefined
  source?: string | undefined
  sink?: string | undefined
  outbox?: string | undefined
  set?: string[] | undefined
  'log-level': LogLevel
}

/** What `sourceOf` gives: with filters, also what they have left out. */
export interface ChosenSource extends SourceDeps {
  readonly tally: Tally | undefined
}

/** What a command did: printed as JSON or as words, then the exit code is the first error's. */
export interface Done<Result> {
  result: Result
  /** The human summary, a line each. */
  summary: string[]
  errors?: readonly OwmError[]
}

export abstract class OwmCommand<Result extends object> extends Command {
  static override enableJsonFlag = true
  static override baseFlags = {
    config: Flags.string({ description: 'configuration file', helpValue: 'FILE', helpGroup: 'GLOBAL' }),
    pipeline: Flags.string({ description: 'which one of several pipelines', helpValue: 'NAME', helpGroup: 'GLOBAL' }),
    source: Flags.string({
      description: "source: a built-in's name, a package or a path",
      helpValue: 'NAME',
      helpGroup: 'GLOBAL',
    }),
    sink: Flags.string({
      description: "sink: a built-in's name, a package or a path",
      helpValue: 'NAME',
      helpGroup: 'GLOBAL',
    }),
    outbox: Flags.string({ description: 'file of the SQLite outbox', helpValue: 'PATH', helpGroup: 'GLOBAL' }),
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
      description: 'how much is logged to standard error',
      helpGroup: 'GLOBAL',
    })(),
  }

  /** Aborted by SIGINT and SIGTERM. */
  protected readonly abort = new AbortController()
  /** Filled while the command works, so that `--json` has its shape whatever happens. */
  protected abstract result: Result
  protected bar = new ProgressBar(false)
  #summaryToStandardError = false
  #level: LogLevel = 'warn'
  #secrets: string[] = []
  #log: Logger | undefined
  #received: 'SIGINT' | 'SIGTERM' | undefined

  protected abstract work(): Promise<Done<Result>>

  override async run(): Promise<void> {
    const listeners = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
      const listener = (): void => {
        // The second one is meant: the outbox is safe at any moment.
        if (this.#received) process.exit(signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated)
        this.#received = signal
        this.abort.abort()
      }
      process.on(signal, listener)
      return [signal, listener] as const
    })
    process.stdout.on('error', () => undefined) // a reader such as `head` may leave early
    try {
      const { result, summary, errors = [] } = await this.work()
      this.result = result
      this.bar.clear()
      const error = this.#received ? new InterruptedError(this.#received) : worst(errors)
      if (this.jsonEnabled()) this.#print(error)
      else {
        for (const line of summary) this.#say(line, this.#summaryToStandardError)
        if (error) this.#complain(error, errors)
      }
      if (error) process.exitCode = error.exitCode
    } finally {
      for (const [signal, listener] of listeners) process.off(signal, listener)
    }
  }

  protected override async catch(thrown: Error): Promise<void> {
    this.bar.clear()
    // A full disk stays one; what would pass by itself (another owm held the outbox) ended by the signal.
    const passes = !(thrown instanceof OwmError) || thrown.exitCode === exitCodes.notHandedOver
    const error = this.#received && passes ? new InterruptedError(this.#received) : asUsageError(thrown, this.id ?? '')
    process.exitCode = error instanceof OwmError ? error.exitCode : 70
    if (this.jsonEnabled()) this.#print(error)
    else this.#complain(error, [])
  }

  /** Reads the flags that every command has. */
  protected takeFlags(flags: BaseFlags): void {
    this.#level = flags['log-level']
    this.bar = new ProgressBar(process.stderr.isTTY && !this.jsonEnabled() && process.env['TERM'] !== 'dumb')
  }

  /** Reads the configuration; from here on its secrets are kept out of all output. `handsOver`: whether the sink will be written to. */
  protected async configure(flags: BaseFlags & { shard?: string | undefined }, handsOver = false): Promise<Loaded> {
    const { loadConfig } = await import('../config/load.js')
    // Also when the configuration itself is what the error is about.
    this.#secrets.push(...passwordsIn(process.env['OWM_REDIS_URL'] ?? ''))
    for (const assignment of flags.set ?? [])
      this.#secrets.push(...passwordsIn(assignment.slice(assignment.indexOf('=') + 1)))
    const loaded = await loadConfig(flags, process.env, process.cwd())
    this.#secrets.push(...loaded.secrets, ...stringsIn(loaded.settings).flatMap(passwordsIn))
    this.#summaryToStandardError = handsOver && loaded.settings.sink?.['path'] === '-'
    if (this.#summaryToStandardError && this.jsonEnabled())
      throw new ConfigurationError('The tasks and --json would both be written to standard output.', {
        hint: 'Leave --json out, or set sink.path to a file.',
      })
    return loaded
  }

  /** The pipeline that was named, or each there is; [undefined] where there are none. */
  protected async pipelines(flags: BaseFlags): Promise<(string | undefined)[]> {
    const { pipelinesOf } = await import('../config/load.js')
    const named = flags.pipeline ?? (process.env['OWM_PIPELINE'] || undefined)
    const names = named === undefined ? await pipelinesOf(flags, process.env, process.cwd()) : []
    return names.length > 0 ? names : [named]
  }

  /** The configuration of each of them. */
  protected async configureAll(flags: BaseFlags): Promise<Loaded[]> {
    const pipelines = await this.pipelines(flags)
    return Promise.all(pipelines.map((pipeline) => this.configure({ ...flags, pipeline })))
  }

  protected async openOutbox(loaded: Loaded, wait: boolean): Promise<Outbox> {
    const { Outbox } = await import('../outbox/outbox.js')
    const { settings } = loaded
    return Outbox.open(settings.outbox.path, {
      command: `owm ${this.id?.replaceAll(':', ' ')}`,
      wait,
      batchSize: settings.flush.batchSize,
      signal: this.abort.signal,
      now: Date.now,
    })
  }

  /** The sink with its options checked; opened only when there is something to hand over. */
  protected async sinkOf(loaded: Loaded): Promise<SinkDeps> {
    const [{ loadSink }, { located, pluginOptions, section }, { superviseSink }] = await Promise.all([
      import('../plugins/load.js'),
      import('../config/load.js'),
      import('../plugins/supervise.js'),
    ])
    const { use, timeoutMs } = section(loaded, 'sink')
    const plugin = await located(loaded, 'sink', loadSink(use, loaded.baseDir))
    const options = await pluginOptions(loaded, 'sink', plugin.options)
    const context = await this.#context(loaded, (operation) => operation())
    return {
      name: use,
      open: () =>
        superviseSink({ name: use, timeoutMs, signal: this.abort.signal, log: context.log }, () =>
          plugin.open(options, context),
        ),
    }
  }

  /** The source with its options checked. `outbox` remembers the breaker around it, where there is one. */
  protected async sourceOf(loaded: Loaded, outbox: () => Outbox | undefined): Promise<ChosenSource> {
    const [
      { loadSource },
      { filtersOf, located, pluginOptions, section },
      { filtered, sourceDigest },
      { superviseSource },
    ] = await Promise.all([
      import('../plugins/load.js'),
      import('../config/load.js'),
      import('../pipeline/filters.js'),
      import('../plugins/supervise.js'),
    ])
    const { use, timeoutMs, maxLocations } = section(loaded, 'source')
    const plugin = await located(loaded, 'source', loadSource(use, loaded.baseDir))
    const options = await pluginOptions(loaded, 'source', plugin.options)
    const filters = await filtersOf(loaded, process.env)
    const tally = filters && { leftOut: 0, limitReached: false }
    let guard: Resilience | undefined
    const context = await this.#context(loaded, async (operation) => {
      guard ??= await this.resilience(loaded, 'source', outbox())
      try {
        return await guard.run(operation, this.abort.signal)
      } finally {
        await outbox()?.breakers.save('source', guard.save())
      }
    })
    const open = async (): Promise<Source> => {
      const source = await superviseSource({ name: use, timeoutMs, signal: this.abort.signal, log: context.log }, () =>
        plugin.open(options, context),
      )
      return filters && tally ? filtered(source, filters, { name: use, maxLocations, tally, log: context.log }) : source
    }
    return { name: use, digest: sourceDigest(use, options, filters), timeoutMs, maxLocations, open, tally }
  }

  /** Where shards have one outbox: what another one has not finished is left to it, for read by this one its locations would be missed. */
  protected async leaveOtherShards(outbox: Outbox, { digest }: ChosenSource, slot: string): Promise<void> {
    const { otherShare } = await import('../pipeline/filters.js')
    const hint = 'Give each shard an outbox of its own: --outbox.'
    for (const run of await outbox.ledger.open()) {
      const share = run.state === 'reading' ? otherShare(run.sourceDigest, digest) : undefined
      if (share === undefined) continue
      const [whose, flag] =
        share === '' ? ['a producer of all locations', ''] : [`the shard ${share}`, ` --shard ${share}`]
      throw new OutboxBusyError(
        `The outbox ${outbox.path} holds an interrupted run of ${whose} (slot ${run.slot}), which this shard can't finish.`,
        {
          hint: `Finish it with \`owm produce${flag}\`. ${hint}`,
        },
      )
    }
    const served = await outbox.ledger.ofSlot(slot)
    if (
      served.length > 0 &&
      served.every((run) => otherShare(run.sourceDigest, digest) !== undefined) &&
      (await outbox.intake.forgottenOfSlot(slot)) > 0
    )
      throw new OutboxBusyError(
        `Other shards served the slot ${slot} in the outbox ${outbox.path}, and their history is forgotten.`,
        { hint },
      )
  }

  protected async resilience(loaded: Loaded, around: BreakerName, outbox: Outbox | undefined): Promise<Resilience> {
    const { resilience } = await import('../pipeline/retry.js')
    const log = await this.logger()
    return resilience(loaded.settings, outbox?.breakers.saved(around), {
      around,
      // No source may take longer anyway.
      ...(around === 'source' && loaded.settings.source ? { maxRetryAfterMs: loaded.settings.source.timeoutMs } : {}),
      onRetry: ({ error, attempt, delayMs }) =>
        log.warn({ around, attempt, delayMs, reason: error.message }, 'a call failed and is tried again'),
    })
  }

  protected async logger(): Promise<Logger> {
    if (!this.#log) {
      const { default: pino } = await import('pino')
      const { bar } = this
      this.#log = pino(
        { level: this.#level, base: { name: 'owm' }, timestamp: pino.stdTimeFunctions.isoTime },
        {
          write: (line: string) => {
            bar.clear()
            process.stderr.write(this.#redact(line))
          },
        },
      )
    }
    return this.#log
  }

  async #context(loaded: Loaded, attempt: PluginContext['attempt']): Promise<PluginContext> {
    return { signal: this.abort.signal, log: await this.logger(), baseDir: loaded.baseDir, attempt }
  }

  #redact(text: string): string {
    return redactor(this.#secrets)(text)
  }

  #say(line: string, toStandardError: boolean): void {
    const stream = toStandardError ? process.stderr : process.stdout
    stream.write(`${this.#redact(line)}\n`)
  }

  #print(error: Error | undefined): void {
    const shown = error
      ? { ...this.result, error: { code: errorCode(error), message: error.message, hint: hintOf(error) } }
      : this.result
    // Value by value: a secret that happens to read "sink" must not rename a key.
    const clean = (_: string, value: unknown): unknown => (typeof value === 'string' ? this.#redact(value) : value)
    process.stdout.write(`${JSON.stringify(shown, clean, 2)}\n`)
  }

  #complain(error: Error, all: readonly OwmError[]): void {
    const others = all.filter((other) => other !== error)
    for (const one of [error, ...others]) {
      for (const line of `owm: ${one.message}`.split('\n')) this.#say(harmless(line), true)
      if (hintOf(one) !== '') this.#say(harmless(`     ${hintOf(one)}`), true)
      if (['debug', 'trace'].includes(this.#level)) this.#say(traceOf(one), true)
    }
  }
}

/** Which error decides the exit code: what a retry can't help comes first. */
function worst(errors: readonly OwmError[]): OwmError | undefined {
  const order: readonly number[] = [exitCodes.configuration, exitCodes.outbox, exitCodes.notHandedOver]
  const rank = (error: OwmError): number => (order.indexOf(error.exitCode) + order.length + 1) % (order.length + 1)
  return errors.toSorted((a, b) => rank(a) - rank(b))[0]
}

const errorCode = (error: Error): string => (error instanceof OwmError ? error.code : 'INTERNAL')

const hintOf = (error: Error): string =>
  error instanceof OwmError
    ? (error.hint ?? '')
    : 'This is a fault of owm itself: run again with --log-level debug, and report what it prints.'

/** What oclif says about flags and arguments, in one line. */
function asUsageError(error: Error, id: string): Error {
  if (error instanceof OwmError || !('oclif' in error)) return error
  const message = error.message.replace(/\s*See more help with --help\s*$/, '').replace(/\s+/g, ' ')
  return new UsageError(message, { hint: `\`owm ${id.replaceAll(':', ' ')} --help\` lists the flags.`, cause: error })
}

function traceOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by ${traceOf(toError(error.cause))}`
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}
