/**
 * A CronJob with a volume claim for the outbox. The CronJob may skip a time (Forbid, a missed deadline): the next run
 * covers it, and says so. With `source.shards` it is an Indexed Job, whose pods can't have a claim each: their outboxes
 * are lost with them, and the next pods continue after the receipts in the sink.
 */
import { Document, isScalar } from 'yaml'
import { ConfigurationError } from '../errors/index.js'
import { fieldsOf } from '../schedule/fields.js'
import { indexVariable } from '../tasks/shard.js'
import { comment, inShell, listed, type Part, type Start, startTimes, waiting } from './start.js'

/** Paths in the container. */
const places = { config: '/etc/owm', state: '/var/lib/owm', credentials: '/run/secrets/owm' } as const

/** @param now milliseconds since 1970 */
export function kubernetes(starts: readonly Start[], now: number): Part[] {
  const names = starts.map(nameOf)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined)
    throw new ConfigurationError(`Two pipelines would both be the CronJob ${twice}, and one would replace the other.`, {
      hint: 'Names in Kubernetes are lower case, and have 52 characters at most: rename one of the pipelines.',
    })
  const documents = starts.flatMap((start) => [...(isIndexed(start) ? [] : [claimOf(start)]), cronJobOf(start, now)])
  return [{ name: 'owm.yaml', text: [head(starts), ...documents].join('---\n') }]
}

/** Kubernetes appends `-29345678` to a CronJob's name, and a pod's index to that: 63 characters in all. */
const longestNameOf = ({ shards = 1 }: Start): number => Math.min(52, 53 - String(shards - 1).length)

/** A valid Kubernetes name; a long pipeline name is cut before the shard's number. */
function nameOf(start: Start): string {
  const { name, shard } = start
  const end = shard === undefined ? '' : `-${shard.replace('/', '-of-')}`
  const lower = name.toLowerCase().replaceAll('_', '-')
  return lower.slice(0, longestNameOf(start) - end.length).replace(/-+$/, '') + end
}

const isIndexed = ({ shards }: Start): boolean => shards !== undefined

const keyOf = (config: string): string => (config.split('/').at(-1) ?? '').replace(/[^\w.-]/g, '-')

const secretsOf = ({ variables }: Start): string[] =>
  variables.filter((name) => name !== indexVariable && name !== 'STATE_DIRECTORY')

function head(starts: readonly Start[]): string {
  const [first] = starts
  const config = first?.config ?? ''
  const variables = allOf(starts, secretsOf)
  const credentials = allOf(starts, (start) => start.credentials)
  return comment(
    `owm, for ${config}`,
    'Fill in the image (its entrypoint is owm) and the size of the volume; then, for kubectl apply:',
    'The configuration, with the files beside it that it names (more --from-file); those in other folders belong in',
    'the image. For secrets it should say ${NAME} or ${file:…}: a ConfigMap hides nothing.',
    `  kubectl create configmap owm --from-file=${keyOf(config)}=${inShell(config)}`,
    ...(variables.length === 0
      ? []
      : [
          `What it reads from the environment, ${variables.join(', ')}: a file with NAME=value in a line each.`,
          '  kubectl create secret generic owm --from-env-file=FILE',
        ]),
    ...(credentials.length === 0
      ? []
      : [
          'What it reads from files:',
          `  kubectl create secret generic owm-files ${credentials.map((name) => `--from-file=${name}`).join(' ')}`,
        ]),
    ...(starts.some(isIndexed)
      ? [
          'A pod of the Indexed Job has a new outbox and goes on behind the receipts in the sink. What it delivered of',
          'a slot before it died comes again, under the same task ids. A claim for each shard keeps "once": leave',
          'source.shards out, and print a CronJob for each with --set source.shard=0/N, 1/N and so on.',
        ]
      : []),
    ...aboutFiles(starts),
  )
}

const allOf = (starts: readonly Start[], list: (start: Start) => readonly string[]): string[] => [
  ...new Set(starts.flatMap(list)),
]

/** What to mount for files that the configuration names. */
function aboutFiles(starts: readonly Start[]): string[] {
  const files = allOf(starts, (start) => start.secretFiles)
  const others = allOf(starts, (start) => (isIndexed(start) ? [] : start.otherFiles))
  const unwritable = others.filter((path) => !path.startsWith(`${places.state}/`))
  // Without a claim, the pod's own folder goes with the pod.
  const lost = allOf(starts, (start) => (isIndexed(start) ? start.otherFiles : []))
  return [
    ...(files.length === 0 ? [] : [`Mount a secret with the files that it names: ${files.join(', ')}.`]),
    ...(unwritable.length === 0
      ? []
      : [
          `The pod can write to ${places.state} only: move these files there, or mount a volume for them:`,
          ...unwritable.map((path) => `  ${path}`),
        ]),
    ...(lost.length === 0
      ? []
      : [
          `What a pod of the Indexed Job writes to ${places.state} goes with it. Mount a volume that lasts for`,
          'these files and the receipts beside them, or their tasks are lost:',
          ...lost.map((path) => `  ${path}`),
        ]),
  ]
}

const claimOf = (start: Start): string =>
  String(
    new Document({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: `${nameOf(start)}-outbox`, labels },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    }),
  )

/** Also on the pods, for network policies. */
const labels = { 'app.kubernetes.io/name': 'owm' }

function cronJobOf(start: Start, now: number): string {
  const { schedule } = start
  const expression = expressionOf(schedule, now)
  const manifest = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: nameOf(start), labels },
    spec: {
      schedule: expression,
      timeZone: schedule.timezone,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      jobTemplate: { spec: jobOf(start) },
    },
  }
  const document = new Document(manifest, { aliasDuplicateObjects: false })
  const why = (words: string, ...path: (string | number)[]): void => {
    const node = document.getIn(['spec', ...path], true)
    if (isScalar(node)) node.comment = ` ${words}`
  }
  why(`"${schedule.cron}": owm knows which hours are due`, 'schedule')
  if (expression === schedule.cron) why('as in the configuration', 'schedule')
  why('what it skips, the next run covers', 'concurrencyPolicy')
  const pod = ['jobTemplate', 'spec', 'template', 'spec'] as const
  why('FILL IN', ...pod, 'containers', 0, 'image')
  return document.toString({ lineWidth: 0 })
}

/** In seconds. A longer run hangs, and with Forbid no other would ever start. */
const longestRun = 6 * 3600

/** In an Indexed Job each index fails alone; any other Job fails as a whole. */
function jobOf(start: Start): object {
  const { shards } = start
  const many = { completionMode: 'Indexed', completions: shards, parallelism: shards, maxFailedIndexes: shards }
  const exits = (action: string, ...values: number[]): object => ({ action, onExitCodes: { operator: 'In', values } })
  const rules = [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    ...(isIndexed(start)
      ? [exits('FailJob', 2, 70, 78), exits('FailIndex', 65, 74)]
      : [exits('FailJob', 2, 65, 70, 78)]),
  ]
  return {
    ...(isIndexed(start) ? { ...many, backoffLimitPerIndex: 4 } : { backoffLimit: 4 }),
    activeDeadlineSeconds: longestRun,
    podFailurePolicy: { rules },
    template: { metadata: { labels }, spec: podOf(start) },
  }
}

function podOf(start: Start): object {
  const { credentials } = start
  const secret = { name: 'files', secret: { secretName: 'owm-files' } }
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 10001,
      runAsGroup: 10001,
      fsGroup: 10001,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [containerOf(start)],
    volumes: [
      { name: 'config', configMap: { name: 'owm' } },
      isIndexed(start)
        ? { name: 'outbox', emptyDir: {} }
        : { name: 'outbox', persistentVolumeClaim: { claimName: `${nameOf(start)}-outbox` } },
      { name: 'tmp', emptyDir: {} },
      ...(credentials.length > 0 ? [secret] : []),
    ],
  }
}

function containerOf(start: Start): object {
  const { config, flags, variables, credentials } = start
  const outbox = `${places.state}/outbox${isIndexed(start) ? `-$(${indexVariable})` : ''}.db`
  const literal = flags.map((flag) => flag.replaceAll('$(', '$$$$('))
  const env = [
    ...(variables.includes('STATE_DIRECTORY') ? [{ name: 'STATE_DIRECTORY', value: places.state }] : []),
    ...(credentials.length > 0 ? [{ name: 'CREDENTIALS_DIRECTORY', value: places.credentials }] : []),
    // An emptyDir, and the volumes of some provisioners, are writable for all users; only this pod has them mounted.
    { name: 'OWM_TRUST_FOLDER', value: '1' },
  ]
  const mount = (name: string, mountPath: string): object => ({ name, mountPath })
  return {
    name: 'owm',
    image: 'REGISTRY/owm:VERSION',
    args: ['produce', ...waiting, '--config', `${places.config}/${keyOf(config)}`, '--outbox', outbox, ...literal],
    env,
    ...(secretsOf(start).length > 0 ? { envFrom: [{ secretRef: { name: 'owm' } }] } : {}),
    // Measured: 90 MB for 1,000 locations, 150 MB for a million, 200 MB for ten.
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      mount('config', places.config),
      mount('outbox', places.state),
      mount('tmp', '/tmp'),
      ...(credentials.length > 0 ? [mount('files', places.credentials)] : []),
    ],
  }
}

/** Kubernetes knows nicknames and names, but not 7 for Sunday. What it can't express becomes hourly starts. */
function expressionOf(schedule: Start['schedule'], now: number): string {
  const { cron } = schedule
  const { minutes, hours: own, days, months, weekdays, anyDay, anyWeekday, isPlain } = fieldsOf(cron)
  if (!isPlain) return `${listed(minutes, 60)} * * * *`
  const { hours, onAllDays } = startTimes(schedule, now)
  if (!onAllDays && hours.length === own.length && /^[\d*,/ -]+$/.test(cron) && !/7\S*$/.test(cron)) return cron
  const [minute, hour] = [listed(minutes, 60), listed(hours, 24)]
  if (onAllDays) return `${minute} ${hour} * * *`
  const day = anyDay ? '*' : days.join(',')
  const weekday = anyWeekday ? '*' : weekdays.join(',')
  return [minute, hour, day, listed(months, 12), weekday].join(' ')
}
