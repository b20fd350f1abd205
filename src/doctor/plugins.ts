/** The plugins' own diagnoses. */
import { ConfigurationError } from '../errors/index.js'
import type { Check, Diagnosis, Patient, Sink, Source } from '../plugin.js'

interface Declaring {
  readonly name: string
  readonly checks?: Readonly<Record<string, Check>> | undefined
}

/** Throws ConfigurationError if a plugin reports an undeclared code, or declares a wrong exit code. */
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
  const undeclared = found.find(({ code }) => !Object.hasOwn(checks, code))
  if (undeclared) throw broke(`its \`doctor\` found ${undeclared.code}`, 'Its `checks` must declare each code.')
  return found
}
