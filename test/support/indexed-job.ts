/**
 * What the Job controller of Kubernetes does with an Indexed Job, as far as owm's exit codes matter to it: a
 * simulation, after https://kubernetes.io/docs/concepts/workloads/controllers/job/. It has places for two pods at a
 * time, and doesn't wait between the pods of an index (10 s, 20 s, 40 s and so on there).
 */
import type { CronJob } from 'kubernetes-models/batch/v1/CronJob'

export type JobSpec = NonNullable<NonNullable<CronJob['spec']>['jobTemplate']['spec']>

export interface JobResult {
  readonly succeeded: number[]
  readonly failed: number[]
  /** Why the Job ended before its pods did. */
  readonly endedBy: 'FailJob' | 'maxFailedIndexes' | undefined
  /** The exit codes of each index's pods. */
  readonly exits: number[][]
}

/** @param runPod runs a pod of this index to its end and gives its exit code; attempt counts from 0 */
export async function runIndexedJob(
  { completions = 0, backoffLimitPerIndex = 0, maxFailedIndexes = completions, podFailurePolicy }: JobSpec,
  runPod: (index: number, attempt: number) => Promise<number>,
): Promise<JobResult> {
  const succeeded: number[] = []
  const failed: number[] = []
  const exits = Array.from({ length: completions }, (): number[] => [])
  let endedBy: JobResult['endedBy']

  const actionOf = (code: number): string => {
    const rule = podFailurePolicy?.rules.find(({ onExitCodes }) => {
      const isListed = onExitCodes?.values.includes(code)
      return onExitCodes !== undefined && (onExitCodes.operator === 'In') === isListed
    })
    return rule?.action ?? 'Count'
  }
  async function runIndex(index: number): Promise<void> {
    for (let attempt = 0; attempt <= backoffLimitPerIndex && endedBy === undefined; attempt++) {
      const code = await runPod(index, attempt)
      exits[index]?.push(code)
      if (code === 0) {
        succeeded.push(index)
        return
      }
      const action = actionOf(code)
      if (action === 'FailJob') endedBy = 'FailJob'
      if (action === 'FailIndex') break
    }
    failed.push(index)
    if (failed.length > maxFailedIndexes) endedBy ??= 'maxFailedIndexes'
  }

  const waiting = exits.keys()
  const place = async (): Promise<void> => {
    for (const index of waiting) if (endedBy === undefined) await runIndex(index)
  }
  await Promise.all([place(), place()])
  return { succeeded: succeeded.sort((a, b) => a - b), failed: failed.sort((a, b) => a - b), endedBy, exits }
}
