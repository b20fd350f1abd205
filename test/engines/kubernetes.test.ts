/** deploy/kubernetes: what kubectl renders of it is what `owm init --print` prints, and Kubernetes would take it. */
import { execFile } from 'node:child_process'
import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CronJob } from 'kubernetes-models/batch/v1/CronJob'
import { describe, expect, it } from 'vitest'
import { root, temporaryFolder } from '../support/cli.js'
import { cronJobsOf, manifestsIn, problemsOf, unknownFields } from '../support/manifests.js'
import { blocksOf, folderWithOwm } from '../support/pages.js'

const run = promisify(execFile)
const folder = join(root, 'deploy', 'kubernetes')
const overlays = ['one-producer', 'claims', 'indexed']

const rendered = async (overlay: string): Promise<string> =>
  (await run('kubectl', ['kustomize', join(folder, overlay)])).stdout

it("has in each folder's cronjob.yaml what the commands of docs/deploy/kubernetes.md write", async () => {
  const cwd = await temporaryFolder()
  const copy = join(cwd, 'deploy', 'kubernetes')
  await cp(folder, copy, { recursive: true })
  for (const overlay of overlays) await rm(join(copy, overlay, 'cronjob.yaml'))
  const blocks = blocksOf(await readFile(join(root, 'docs', 'deploy', 'kubernetes.md'), 'utf8'))
  const [block] = blocks.filter(({ language }) => language === 'sh')
  const { PATH } = process.env
  const env = { PATH: `${await folderWithOwm()}:${PATH}` }
  const { stdout } = await run('sh', ['-euc', block?.text ?? 'false'], { cwd, env })
  expect(stdout).toContain('kind: CronJob')
  for (const overlay of overlays) {
    const name = join(overlay, 'cronjob.yaml')
    expect(await readFile(join(folder, name), 'utf8')).toBe(await readFile(join(copy, name), 'utf8'))
  }
})

describe.each(overlays)('%s', (overlay) => {
  it('renders, and Kubernetes would take each manifest', async () => {
    const manifests = manifestsIn(await rendered(overlay))
    const jobs = cronJobsOf(manifests)
    expect(jobs).toHaveLength(overlay === 'claims' ? 3 : 1)
    expect(jobs.flatMap(problemsOf)).toEqual([])
    expect(JSON.stringify(manifests)).not.toMatch(/REGISTRY|VERSION/)
    const kinds = manifests.map((one) => Object(one).kind)
    expect(kinds).toEqual(expect.arrayContaining(['ConfigMap', 'CronJob', 'NetworkPolicy']))
    expect(kinds.includes('PersistentVolumeClaim')).toBe(overlay !== 'indexed')
  })
})

it('has a pod to look with that sees what the CronJob sees', async () => {
  const manifests = manifestsIn(await readFile(join(folder, 'look.yaml'), 'utf8'))
  expect(cronJobsOf(manifests)).toEqual([]) // a pod that is valid
  expect(await unknownFields(manifests.map((one): { kind: string } => Object(one)))).toEqual([])
  const [job] = cronJobsOf(manifestsIn(await rendered('one-producer')))
  const own = job?.spec?.jobTemplate.spec?.template.spec
  const { spec } = Object(manifests[0])
  expect(spec).toMatchObject({ volumes: own?.volumes, securityContext: own?.securityContext })
  const { image, envFrom, volumeMounts, securityContext } = own?.containers[0] ?? {}
  expect(spec.containers[0]).toMatchObject({ image, envFrom, volumeMounts, securityContext })
})

it('has no field that Kubernetes does not know', async () => {
  const texts = await Promise.all(overlays.map(rendered))
  const manifests = texts.flatMap(manifestsIn).map((one): { kind: string } => Object(one))
  expect(await unknownFields(manifests)).toEqual([])
  const broken = JSON.parse(JSON.stringify(manifests.find(({ kind }) => kind === 'CronJob')))
  broken.spec.jobTemplate.spec.template.spec.containers[0].securityContext.readonlyRootFilesystem = true
  expect(await unknownFields([broken])).toMatchObject([expect.stringContaining('readonlyRootFilesystem')])
})

it.each<[string, string, (job: CronJob) => void]>([
  [
    'indexed',
    'restartPolicy',
    (job) => Object.assign(job.spec?.jobTemplate.spec?.template.spec ?? {}, { restartPolicy: 'OnFailure' }),
  ],
  ['indexed', 'backoffLimitPerIndex', (job) => delete job.spec?.jobTemplate.spec?.completionMode],
  [
    'indexed',
    'exit code 75',
    (job) => job.spec?.jobTemplate.spec?.podFailurePolicy?.rules[2]?.onExitCodes?.values.push(75),
  ],
  ['one-producer', 'disruption', (job) => job.spec?.jobTemplate.spec?.podFailurePolicy?.rules.shift()],
  ['one-producer', '52 characters', (job) => Object.assign(job.metadata ?? {}, { name: 'o'.repeat(53) })],
  ['one-producer', 'mount', (job) => job.spec?.jobTemplate.spec?.template.spec?.volumes?.pop()],
])('%s is refused once it is broken: %s', async (overlay, word, breakIt) => {
  const [job] = cronJobsOf(manifestsIn(await rendered(overlay)))
  if (!job) throw new Error('no CronJob')
  breakIt(job)
  expect(problemsOf(job).join('; ')).toContain(word)
})
