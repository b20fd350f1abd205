/**
 * Messages whose words are somebody else's, or that repeat another message: `FILE EXPRESSION`, as src/ has it -> the
 * rows that the page has of it. None where each of its texts is listed where it is made.
 */
const wrong = [
  '… is wrong: Invalid input: expected …',
  '… is wrong: Invalid option: expected one of …',
  '… is wrong: Too small: expected …',
  '… is wrong: Too big: expected …',
]

export const passedOn = {
  // oclif's words about flags and arguments.
  'src/cli/report.ts message': [
    'Nonexistent flag: …',
    'Missing required flag …',
    'Flag … expects a value',
    'Unexpected argument: …',
    'Expected … to be one of: …',
    'Expected an integer but received: …',
    '… cannot also be provided when using …',
  ],
  // One of owm's flags.
  'src/cli/actions/init/init.ts `--${flag} is empty.`': ['--… is empty.'],
  'src/cli/flags.ts `--${empty} is empty.`': ['--… is empty.'],
  // zod's words about a value.
  "src/config/explain.ts `${full.join('.') || 'the configuration'} ${placeOf(full)} is wrong: ${message}${actual}.`":
    wrong,
  'src/config/explain.ts first.message': wrong,
  // A plugin's words, or those of a library that it uses.
  'src/plugins/supervise/supervisor.ts `The ${this.who} ${what}: ${toError(error).message}`': [
    'The source … failed: …',
    'The sink … failed: …',
    "The source … couldn't be opened: …",
    "The sink … couldn't be opened: …",
  ],
  'src/config/check/index.ts toError(thrown).message': [],
  'src/pipeline/parts.ts toError(thrown).message': [],
  'src/pipeline/produce.ts error.message': [],
  'src/plugins/supervise/source.ts withSourceName(supervisor, error)': [],
  // The words of a server, or of the driver that speaks with it.
  'src/sinks/postgres/errors.ts message': ['PostgreSQL at …: …'],
  'src/sinks/postgres/index.ts toError(error).message': [],
  'src/sources/sql/errors.ts message': ['MariaDB at …: …<br>MySQL at …: …<br>PostgreSQL at …: …<br>SQLite at …: …'],
  'src/sources/http/errors.ts message': ['… answered …: …'],
  'src/sources/http/errors.ts `${message}${again}`': ['… answered …: …'],
  // An error's own words, with another hint or at another place.
  "src/cli/actions/produce/dry-run.ts logWarning(around, { event: 'source-empty' }, warning)": [],
  'src/cli/actions/plan/plan.ts warning': [],
  "src/cli/actions/warnings.ts logWarning(around, { event: 'cadence-too-short' }, paceInWords(pace) ?? '')": [
    '… shorter than the … minutes between scheduled times: most windows are skipped',
  ],
  'src/cli/actions/plugins.ts plugin.error': [],
  'src/config/section.ts message': [],
  'src/pipeline/contact.ts message': [],
  'src/pipeline/input/filters/field-check.ts `${error.message} ${error.hint}`': [],
  'src/sources/fields/mapping.ts wrong.reason': [],
  'src/sources/formats/csv/header.ts error.message': [],
  'src/sources/formats/json/index.ts damaged(list.name, error.message, jsonHint, error)': [],
  'src/sources/formats/json/outline.ts damaged(list.name, error.message, jsonHint, error)': [],
  'src/sources/formats/record.ts flat.reason': [],
  'src/sources/formats/json/index.ts refuse(dialectOf(first.head), list.name)': [],
  'src/sources/formats/yaml.ts refuse(dialectOf(text), list.name)': [],
  'src/sources/formats/text.ts refuse(signatureOf(head), name)': [],
  'src/sources/static-list/file.ts refuse(signatureOfEnding(plain), path)': [],
  'src/sources/http/answer/index.ts wrong(error.message, error.hint)': [],
  'src/sources/http/answer/content.ts `is ${found.what}${kindOf(headers)}`': [],
  'src/sources/http/answer/index.ts masked(`The answer of ${where} ${error.message}.`, this.#secrets)': [],
  'src/sources/http/pages.ts error.message': [],
  'src/sources/http/tally/index.ts doubt': [],
  'src/sources/http/tally/index.ts error.message': [],
  'src/sources/sql/pages.ts error.message': [],
}
