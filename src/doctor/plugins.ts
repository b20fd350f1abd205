/** What plugins say of themselves. */
import { ConfigurationError } from '../errors/index.js'
import type { Check, Diagnosis, Patient, Sink, Source } from '../plugin.js'

interface Declaring {
  readonly name: string
  readonly checks?: Readonly<Record<string, Check>> | undefined
}

/** Throws ConfigurationError where a plugin says what it hasn't declared, or declares what owm can't end with. */
export async function ownDiagnoses(
  kind: 'source' | 'sink',
  { name, checks = {} }: Declaring,
  plugin: Pick<Source | Sink, 'doctor'>,
  patient: Patient,
): Promise<readonly Diagnosis[]> {
  const broke = (rule: string, hint: string): ConfigurationError =>
    new ConfigurationError(`The ${kind} ${name} broke its contract: ${rule}.`, { hint })
  const [wrong] = Object.entries(checks).filter(([, { exitCode }]) => ![0, 74, 75, 78].includes(exitCode))
  if (wrong) throw broke(`the \`exitCode\` of its check ${wrong[0]} was ${wrong[1].exitCode}`, 'It is 0, 74, 75 or 78.')
  const found = (await plugin.doctor?.(patient)) ?? []
  const stranger = found.find(({ code }) => !Object.hasOwn(checks, code))
  if (stranger) throw broke(`its \`doctor\` found ${stranger.code}`, 'Its `checks` must declare each code.')
  return found
}
