/**
 * Manifests of Kubernetes, checked without a server: types, enums and missing fields by kubernetes-models, unknown
 * fields by the compiler with its types, and by hand what Kubernetes asks for across fields.
 */
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CronJob } from 'kubernetes-models/batch/v1/CronJob'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim'
import { Pod } from 'kubernetes-models/v1/Pod'
import ts from 'typescript'
import { parseAllDocuments } from 'yaml'
import { root, temporaryFolder } from './cli.js'

/** The manifests of a text in YAML. */
export function manifestsIn(text: string): unknown[] {
  const documents = parseAllDocuments(text)
  const [error] = documents.flatMap(({ errors }) => errors)
  if (error) throw error
  return documents.map((document): unknown => document.toJS()).filter((one) => one !== null)
}

/** Throws where Kubernetes would refuse one of them by its types, or where it is of a kind that owm has no use for. */
export function cronJobsOf(manifests: readonly unknown[]): CronJob[] {
  return manifests.flatMap((one) => {
    const model = [CronJob, PersistentVolumeClaim, ConfigMap, NetworkPolicy, Pod].find((kind) => kind.is(one))
    if (!model) throw new Error(`No kind that is known: ${JSON.stringify(one)}`)
    const made = new model(Object(one))
    made.validate()
    return made instanceof CronJob ? [made] : []
  })
}

const modules: Record<string, string> = {
  CronJob: 'batch/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  ConfigMap: 'v1',
  PersistentVolumeClaim: 'v1',
  Pod: 'v1',
}

/** What the compiler says of fields that a manifest's type doesn't have. */
export async function unknownFields(manifests: readonly { readonly kind: string }[]): Promise<string[]> {
  const folder = await temporaryFolder()
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const file = join(folder, 'manifests.ts')
  const lines = manifests.map((one) => {
    const type = `import('kubernetes-models/${modules[one.kind]}/${one.kind}').I${one.kind}`
    return `(${JSON.stringify(one)}) satisfies ${type}`
  })
  await writeFile(file, lines.join('\n;'))
  const options = { strict: true, skipLibCheck: true, noEmit: true, types: [], module: ts.ModuleKind.NodeNext }
  const program = ts.createProgram([file], options)
  const found = [...program.getSyntacticDiagnostics(), ...program.getSemanticDiagnostics()]
  return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

/** What Kubernetes would refuse, or do otherwise than meant, though each field is right by itself. */
export function problemsOf({ metadata, spec }: CronJob): string[] {
  const job = spec?.jobTemplate.spec
  const pod = job?.template.spec
  const rules = job?.podFailurePolicy?.rules ?? []
  const isIndexed = job?.completionMode === 'Indexed'
  const has = (action: string): boolean => rules.some((rule) => rule.action === action)
  const actionOf = (code: number): string =>
    rules.find(({ onExitCodes }) => onExitCodes?.operator === 'In' && onExitCodes.values.includes(code))?.action ??
    'Count'
  const codes = isIndexed
    ? { 2: 'FailJob', 65: 'FailIndex', 70: 'FailJob', 74: 'FailIndex', 75: 'Count', 78: 'FailJob' }
    : { 2: 'FailJob', 65: 'FailJob', 70: 'FailJob', 74: 'Count', 75: 'Count', 78: 'FailJob' }
  const volumes = new Set(pod?.volumes?.map(({ name }) => name))
  const mounts = pod?.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)) ?? []
  const checks: [string, boolean][] = [
    ['a name of more than 52 characters', /^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/.test(metadata?.name ?? '')],
    ['starts at the same time', spec?.concurrencyPolicy === 'Forbid'],
    ['a zone that is the node’s', spec?.timeZone !== undefined && !/TZ=/.test(spec.schedule)],
    ['a pod that hangs for ever', (job?.activeDeadlineSeconds ?? 0) > 0],
    ['podFailurePolicy without restartPolicy: Never', pod?.restartPolicy === 'Never'],
    [
      'a disruption that counts',
      rules[0]?.action === 'Ignore' && rules[0].onPodConditions?.[0]?.type === 'DisruptionTarget',
    ],
    ['backoffLimitPerIndex without Indexed', (job?.backoffLimitPerIndex !== undefined) === isIndexed],
    ['FailIndex without backoffLimitPerIndex', !has('FailIndex') || job?.backoffLimitPerIndex !== undefined],
    ['maxFailedIndexes without backoffLimitPerIndex', (job?.maxFailedIndexes !== undefined) === isIndexed],
    ['more failed indexes than there are', (job?.maxFailedIndexes ?? 0) <= (job?.completions ?? 0)],
    ['an index that waits for another', job?.parallelism === job?.completions],
    ['a claim that several pods write to', !isIndexed || !pod?.volumes?.some((one) => one.persistentVolumeClaim)],
    ['a mount without a volume', mounts.every((name) => volumes.has(name))],
    ['root', pod?.securityContext?.runAsNonRoot === true && pod.automountServiceAccountToken === false],
    ...Object.entries(codes).map(([code, action]): [string, boolean] => [
      `exit code ${code} isn't for ${action}`,
      actionOf(Number(code)) === action,
    ]),
  ]
  return checks.filter(([, isRight]) => !isRight).map(([what]) => what)
}
