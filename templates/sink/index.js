import { mkdir, open, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ConfigurationError, defineSink, z } from 'owm-producer'

export default defineSink({
  name: '__NAME__',
  description: 'a file a batch, in a folder',
  // All that a configuration may have beside `use:`. owm checks it, and shows it in `owm plugins`.
  options: z.strictObject({
    folder: z.string().min(1).describe('the folder; made if it is missing'),
  }),
  async open({ folder }, { baseDir }) {
    const path = resolve(baseDir, folder)
    await mkdir(path, { recursive: true }).catch((cause) => {
      // A retry can't fix this.
      throw new ConfigurationError(`The folder ${path} can't be made: ${cause.message}`, {
        hint: 'Correct sink.folder.',
        cause,
      })
    })
    return {
      // `exactly-once` only if a batch that comes again adds nothing, whichever outbox sends it.
      guarantee: 'at-least-once',
      async deliver({ runId, firstSeq, tasks }) {
        // A batch that comes again replaces itself; one of another outbox, or of a copy of this one, replaces nothing.
        const name = join(path, `${runId}-${String(firstSeq).padStart(12, '0')}.ndjson`)
        const file = await open(`${name}.part`, 'w')
        try {
          await file.writeFile(`${tasks.join('\n')}\n`)
          await file.sync() // only what is safe counts as delivered
        } finally {
          await file.close()
        }
        await rename(`${name}.part`, name)
        // For each task, in order: 'delivered', 'duplicate' or {refused: 'why it never will be'}.
        // If this throws, the batch comes again.
        return tasks.map(() => 'delivered')
      },
    }
  },
})
