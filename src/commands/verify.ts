import * as Flags from '@oclif/core/flags'
import { nothingVerified, type VerifyFlags, type VerifyResult, verify } from '../cli/actions/look/verify/verify.js'
import { type BaseFlags, type Done, OwmCommand } from '../cli/command.js'
import { limits, shard } from '../cli/flags.js'

export type { VerifyResult } from '../cli/actions/look/verify/verify.js'

type Given = Omit<BaseFlags, 'source'> & VerifyFlags & { shard?: string | undefined }

export default class Verify extends OwmCommand<VerifyResult> {
  static override summary = 'Compare outbox, receipts and sink: is each slot complete?'
  static override description = [
    'Exits 0 where all of them say the same, 75 where something differs; then it names the tasks and what to do.',
    'What was trimmed since is no difference, nor is a slot that a run is working on. Reads only.',
    'With `schedule:` a scheduled time that no start has come for is a difference, too.',
  ].join(' ')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --slot 2026-11-23T10:00:00Z --source',
    '<%= config.bin %> <%= command.id %> --json',
  ]
  static override flags = {
    slot: Flags.string({
      description: 'only this slot; else all in the ledger, and the scheduled times between them',
      helpValue: 'TIME',
    }),
    // Replaces the --source NAME of other commands: a slot can be compared with the configured list only.
    source: Flags.boolean({
      description: 'also read the source, and compare the slot, or the newest one, with its list',
    }),
    limit: Flags.integer({
      description: 'show at most this many slots, and ids of each',
      ...limits,
      helpValue: 'N',
      default: 10,
    }),
    shard,
  }

  protected result = nothingVerified()

  protected async work(): Promise<Done<VerifyResult>> {
    // Typed by hand: the inferred type would be that of both flags called --source.
    const parsed: { flags: Given } = await this.parse(Verify)
    const flags = { ...parsed.flags, source: undefined }
    const configure = () => (parsed.flags.source ? this.configure(flags) : this.configureSink(flags))
    return verify(this.result, parsed.flags, configure, this.surroundings)
  }
}
