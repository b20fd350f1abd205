/** Answers the scripts in templates/completion. */
import { type Choice, type Command, keptOf, type Question, questionOf } from './line.js'
import type { Shell } from './values.js'

/** Words that a shell doesn't interpret: a name in a configuration could be `$(rm -r .)`. */
const harmless = /^[\w./:@+=-]+$/

/**
 * One line for each completion: the text to insert, and after two spaces its description. `:files` alone asks the shell
 * to complete file names. Errors are ignored: a prompt can't show them, and the command itself will.
 * @param words after `owm`, as the shell has split them, up to the one at the cursor
 */
export async function answerTo(
  words: readonly string[],
  commands: readonly Command[],
  shell: Shell,
): Promise<string[]> {
  const question = questionOf(words, commands)
  const values = question.value ? await valuesFor(question, shell).catch(() => []) : []
  if (values === 'files') return [':files']
  const kept = keptOf(words)
  return [...question.choices, ...values]
    .filter(({ word }) => word.startsWith(question.typed) && harmless.test(word))
    .map(({ word, about }) => {
      const [line = ''] = about.split('\n', 1)
      return `${question.before}${word}`.slice(kept) + (line === '' ? '' : `  ${line}`)
    })
}

/** Most words need neither the configuration nor the outbox, and a prompt waits: these are loaded only for the rest. */
async function valuesFor(question: Question, shell: Shell): Promise<Choice[] | 'files'> {
  const { valuesOf } = await import('./values.js')
  return valuesOf(question, shell)
}
