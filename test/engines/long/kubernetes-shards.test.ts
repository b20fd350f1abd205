/**
 * Ten shards by deploy/kubernetes/indexed, one of them broken: a simulation (indexed-job.ts has the part of
 * Kubernetes), with the real image, the rendered manifest and a real Redis.
 */
import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { root, temporaryFolder } from '../../support/cli.js'
import { type Docker, startDocker } from '../../support/docker.js'
import { type JobResult, type JobSpec, runIndexedJob } from '../../support/indexed-job.js'
import { cronJobsOf, manifestsIn } from '../../support/manifests.js'

let engine: Docker
let redis: string
let image: string
let job: JobSpec
let config: string

beforeAll(async () => {
  engine = await startDocker()
  redis = await engine.redis()
  ;({ image } = await engine.owmImage())
  const overlay = join(root, 'deploy', 'kubernetes', 'indexed')
  const manifests = manifestsIn((await promisify(execFile)('kubectl', ['kustomize', overlay])).stdout)
  const spec = cronJobsOf(manifests)[0]?.spec?.jobTemplate.spec
  if (!spec) throw new Error('no Job')
  job = spec
  const map = manifests.map((one): { kind: string; data: Record<string, string> } => Object(one))
  config = map.find(({ kind }) => kind === 'ConfigMap')?.data['owm.yaml'] ?? ''
})
beforeEach(async () => {
  await redisCli('flushall')
})
afterAll(() => engine.stop())

const redisCli = (...args: string[]): Promise<string> => engine.docker('exec', redis, 'redis-cli', ...args)

/** `docker run`'s arguments for a pod, by its specification. */
async function podOf(index: number, folder: string, network: string): Promise<string[]> {
  const [container] = job.template.spec?.containers ?? []
  const { securityContext, volumes = [] } = job.template.spec ?? {}
  // From Kubernetes, and from the secret.
  const variables = { JOB_COMPLETION_INDEX: String(index), REDIS_URL: 'redis://127.0.0.1:6379' }
  const env = [...Object.entries(variables), ...(container?.env ?? []).map(({ name, value }) => [name, value])]
  const mounts = (container?.volumeMounts ?? []).map(async ({ name, mountPath }) => {
    const isEmptyDir = volumes.find((volume) => volume.name === name)?.emptyDir !== undefined
    return ['--volume', isEmptyDir ? `${await emptyDir()}:${mountPath}` : `${folder}:${mountPath}:ro`]
  })
  const { readOnlyRootFilesystem, capabilities, allowPrivilegeEscalation } = container?.securityContext ?? {}
  return [
    ...(readOnlyRootFilesystem ? ['--read-only'] : []),
    ...(capabilities?.drop ?? []).flatMap((name) => ['--cap-drop', name]),
    ...(allowPrivilegeEscalation ? [] : ['--security-opt', 'no-new-privileges']),
    ...['--user', `${securityContext?.runAsUser}:${securityContext?.runAsGroup}`, '--network', network],
    ...['--memory', String(container?.resources?.limits?.['memory']).replace('Mi', 'm')],
    ...env.flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...[...(await Promise.all(mounts)).flat(), image],
    ...(container?.args ?? []).map((arg) => arg.replaceAll('$(JOB_COMPLETION_INDEX)', String(index))),
  ]
}

/** As Kubernetes makes it: root's, and everybody may write there. */
async function emptyDir(): Promise<string> {
  const folder = await temporaryFolder()
  await chmod(folder, 0o2777)
  return folder
}

/** Runs the Job; the network of a pod is `none` where its node has none. */
async function runJob(yaml: string, networkOf: (index: number, attempt: number) => string = reach): Promise<JobResult> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'owm.yaml'), yaml)
  for (let index = 0; index < 10; index++)
    await writeFile(join(folder, `part-${index}.csv`), `city,lat,lon\nA,${index === 4 ? 'x,y' : '1,1'}\n`)
  await chmod(folder, 0o755)
  return runIndexedJob(job, async (index, attempt) => {
    const ended = engine.docker('run', '--rm', ...(await podOf(index, folder, networkOf(index, attempt))))
    return ended.then(
      () => 0,
      (error: { code: number }) => {
        if (error.code >= 125 && error.code < 128) throw error // of docker itself: there was no pod
        return error.code
      },
    )
  })
}

const reach = (): string => `container:${redis}`
/** A try that fails takes a second, not a minute. */
const impatient = 'retry: {attempts: 1}\n'

it('nine are done, and the broken one alone is tried again', async () => {
  const result = await runJob(config + impatient, (index, attempt) => (index === 3 && attempt === 0 ? 'none' : reach()))
  expect(result).toMatchObject({ failed: [], endedBy: undefined, succeeded: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] })
  expect(result.exits).toEqual([[0], [0], [0], [75, 0], [0], [0], [0], [0], [0], [0]])
  const stream = await redisCli('xrange', 'owm-ingestion-stream', '-', '+')
  const ids = [...stream.matchAll(/"task_id":"([^"]+)"/g)].map(([, id]) => id)
  expect({ entries: ids.length, different: new Set(ids).size }).toEqual({ entries: 1000, different: 1000 })
})

it('a shard that stays broken fails alone, once its pods are used up', async () => {
  const result = await runJob(config + impatient, (index) => (index === 3 ? 'none' : reach()))
  expect(result).toMatchObject({ failed: [3], endedBy: undefined, succeeded: [0, 1, 2, 4, 5, 6, 7, 8, 9] })
  expect(result.exits[3]).toEqual([75, 75, 75, 75, 75])
})

it('a shard whose list is wrong fails at once, and a wrong configuration ends the Job', async () => {
  // A list for each pod takes a stream for each: receipts of one stream would say that the slot is served.
  const parts = config
    .replace(/source: .*/, "source: {use: static-list, file: './part-${JOB_COMPLETION_INDEX}.csv'}")
    .replace('sink: {', "sink: { stream: 'tasks-${JOB_COMPLETION_INDEX}',")
  const result = await runJob(parts)
  expect(result).toMatchObject({ failed: [4], endedBy: undefined })
  expect(result.exits.filter((codes) => codes.length !== 1)).toEqual([])
  expect(result.exits[4]).toEqual([65])
  expect(await runJob(`${config}nothing: {}\n`)).toMatchObject({ endedBy: 'FailJob', succeeded: [] })
})
