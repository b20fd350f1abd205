/** The page of `man owm`, from the commands' manifest. `npm run docs` writes it. */

/** The commands that are shown, and the flags that all of them have. */
export function shownIn({ commands }) {
  const shown = Object.values(commands).filter(({ hidden }) => !hidden)
  return { shown, everywhere: Object.values(shown[0].flags).filter(isOfAll) }
}

export const isOfAll = ({ helpGroup }) => helpGroup === 'GLOBAL'

/** A command as it is typed. */
export const typed = ({ id }) => `owm ${id.replaceAll(':', ' ')}`

/** `-n, --limit N` */
export function nameOfFlag({ char, name, type, helpValue, options }) {
  const value = type === 'option' ? ` ${options?.join('|') ?? helpValue ?? 'VALUE'}` : ''
  return `${char ? `-${char}, ` : ''}--${name}${value}`
}

/** @param manifest what `oclif manifest` wrote @returns {string} in roff, for the macros of man(7) */
export function manPage(manifest) {
  const { shown, everywhere } = shownIn(manifest)
  return [
    `.TH OWM 1 "" "owm ${manifest.version}" "User Commands"`,
    ...section('NAME', 'owm \\- produces one ingestion task of every configured location, and delivers each once'),
    ...section('SYNOPSIS', '.B owm', '.I COMMAND', '[\\fIFLAG\\fR]...'),
    ...section(
      'DESCRIPTION',
      text(
        'The first stage of a weather ETL pipeline. Started by a scheduler, owm produce reads every location of a ' +
          'source, stores a task of each in an outbox and delivers the tasks to a sink. What was interrupted goes on ' +
          'at the next start. owm alone says what to do next in this folder; owm COMMAND --help has all flags.',
      ),
    ),
    ...section('COMMANDS', ...shown.flatMap((command) => item(typed(command), command.summary))),
    ...section('FLAGS OF ALL COMMANDS', ...everywhere.flatMap((flag) => item(nameOfFlag(flag), flag.description))),
    ...section('EXIT STATUS', ...exits.flatMap(([codes, what]) => item(codes, what))),
    ...section(
      'FILES',
      ...item('.owmrc.yaml', 'the configuration, in this folder or one above it; owm init writes it'),
    ),
    ...section(
      'ENVIRONMENT',
      ...item('OWM_CONFIG, OWM_PIPELINE, OWM_SOURCE, OWM_SINK, OWM_OUTBOX, OWM_SLOT', 'as the flags of these names'),
      ...item('OWM_REDIS_URL', 'as sink.url of redis-stream'),
      ...item('NO_COLOR', 'no colours'),
    ),
    '',
  ].join('\n')
}

/** In short: docs/operations.md has all of it. */
const exits = [
  ['0', 'everything that was read is in the sink'],
  ['2, 65, 78', 'the call, the data or the configuration is wrong: a retry does not help'],
  ['75', 'the sink or the source failed, or another owm is at work: what was read is safe, and the next start goes on'],
  ['70, 74', 'a fault of owm or of a plugin; the outbox cannot be read or written'],
  ['130, 143', 'interrupted: the next start goes on'],
]

const section = (title, ...lines) => [`.SH "${title}"`, ...lines]
const item = (name, what) => ['.TP', `\\fB${text(name)}\\fR`, text(what)]

/** A line may not begin with a request, and a hyphen is a minus, which can be copied. */
const text = (words) =>
  words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&').replaceAll('`', '')
