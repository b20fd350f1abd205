/** What the scripts in templates/completion are answered. */
import { type Command, keptOf, questionOf } from './line.js'
import { type Shell, valuesOf } from './values.js'

/** What a shell takes as it stands: nobody should find `$(rm -r .)` in the line that a configuration has finished. */
const harmless = /^[\w./:@+=-]+$/

/**
 * A line for each word that may stand at the cursor: the part that the shell is to put there, and behind two spaces
 * what it means. `:files` alone asks the shell for names of files. What is in the way of knowing it is no error here:
 * nobody sees one at a prompt, and the command itself will tell it.
 * @param words those after `owm`, as the shell has split them, up to the one at the cursor
 */
export async function answerTo(
  words: readonly string[],
  commands: readonly Command[],
  shell: Shell,
): Promise<string[]> {
  const question = questionOf(words, commands)
  const values = await valuesOf(question, shell).catch(() => [])
  if (values === 'files') return [':files']
  const kept = keptOf(words)
  return [...question.choices, ...values]
    .filter(({ word }) => word.startsWith(question.typed) && harmless.test(word))
    .map(({ word, about }) => {
      const [line = ''] = about.split('\n', 1)
      return `${question.before}${word}`.slice(kept) + (line === '' ? '' : `  ${line}`)
    })
}
