/** What plugins say of themselves. */
import { ConfigurationError } from '../errors/index.js'
import type { Check, Diagnosis, Patient, Sink, Source } from '../plugin.js'

interface Declaring {
  readonly name: string
  readonly checks?: Readonly<Record<string, Check>> | undefined
}

/** Throws ConfigurationError where a plugin says what it hasn't declared. */
export async function ownDiagnoses(
  kind: 'source' | 'sink',
  { name, checks = {} }: Declaring,
  plugin: Pick<Source | Sink, 'doctor'>,
  patient: Patient,
): Promise<readonly Diagnosis[]> {
  const found = (await plugin.doctor?.(patient)) ?? []
  const stranger = found.find(({ code }) => !(code in checks))
  if (stranger === undefined) return found
  throw new ConfigurationError(`The ${kind} ${name} broke its contract: its \`doctor\` found ${stranger.code}.`, {
    hint: 'Its `checks` must declare each code.',
  })
}
