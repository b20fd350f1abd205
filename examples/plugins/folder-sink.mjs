/**
 * A sink of your own: one file per task, named by its id, so that a task that is
 * delivered twice overwrites itself. Use it with
 *
 *   sink: {use: ./folder-sink.mjs, folder: ./tasks}
 */
import { mkdir, open, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ConfigurationError, defineSink, z } from 'owm-producer'

export default defineSink({
  name: 'folder',
  description: 'a file a task, in a folder',
  options: z.strictObject({
    folder: z.string().min(1).describe('the folder; made if it is missing'),
  }),
  async open({ folder }, { baseDir }) {
    const path = resolve(baseDir, folder)
    await mkdir(path, { recursive: true }).catch((cause) => {
      throw new ConfigurationError(`The folder ${path} can't be made: ${cause.message}`, {
        hint: 'Correct sink.folder.',
        cause,
      })
    })
    return {
      guarantee: 'at-least-once',
      async deliver({ firstSeq, tasks }) {
        const outcomes = []
        for (const [index, task] of tasks.entries()) {
          const { task_id } = JSON.parse(task)
          const name = join(path, `${String(firstSeq + index).padStart(12, '0')}-${task_id}.json`)
          if ((await readFile(name, 'utf8').catch(() => '')) === task) outcomes.push('duplicate')
          else {
            const file = await open(name, 'w')
            await file.writeFile(task)
            await file.datasync() // only then does it count as delivered
            await file.close()
            outcomes.push('delivered')
          }
        }
        return outcomes
      },
    }
  },
})
