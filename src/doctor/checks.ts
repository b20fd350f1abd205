/** owm's own checks, whatever the plugins; those add their own (see plugin.ts). */
import type { Check } from '../plugin.js'

export const checks = {
  configuration: {
    about: 'what `owm config check` says of the configuration',
    why: 'No run starts with a wrong configuration.',
    todo: 'Correct what the line names, then run `owm config check`.',
    exitCode: 78,
  },
  'configuration-beside': {
    about: 'whether another configuration lies beside the one that counts',
    why: 'What the other one configures is not delivered any more, and nothing else says so.',
    todo: 'Move what the other one configures into the one that counts, as a pipeline, or remove it.',
    exitCode: 0,
  },
  'configuration-cadence': {
    about: 'whether the schedule comes often enough for the cadence',
    why: 'Windows that lie between two scheduled times are skipped.',
    todo: 'Let schedule.cron come as often as the shortest cadence; `owm plan` shows what each slot brings.',
    exitCode: 0,
  },
  'configuration-stream': {
    about: 'whether pipelines deliver to one stream without a taskNamespace',
    why: 'Workers skip a task whose id they have seen: one pipeline may hide tasks of the other.',
    todo: 'Give each its own taskNamespace, or all of them `taskNamespace: pipeline`; it changes their task ids, once.',
    exitCode: 0,
  },
  'outbox-folder': {
    about: "whether the outbox's file and folder can be written, and are this user's",
    why: 'Nothing can be stored, so nothing is delivered.',
    todo: 'Do what the line says: correct the rights, or name another file in outbox.path.',
    exitCode: 74,
  },
  'outbox-disk': {
    about: 'whether the outbox is on a disk of this machine',
    why: 'What waits there is lost with the next restart, or the lock and the log of SQLite fail.',
    todo: 'Move the outbox to a local disk (docs/outbox.md), then name its place in outbox.path.',
    exitCode: 74,
  },
  'outbox-cleaned': {
    about: 'whether the outbox is in a folder that the machine clears',
    why: 'A restart or a cleaner such as systemd-tmpfiles may remove the outbox, with the tasks that wait in it.',
    todo: 'Move the outbox out of it (docs/outbox.md), then name its place in outbox.path.',
    exitCode: 0,
  },
  'outbox-space': {
    about: 'free space for the next run',
    why: 'On a full disk a run stops with 74 before all of its tasks are stored.',
    todo: 'Make room; `owm outbox purge` gives back what the outbox has no use for.',
    exitCode: 74,
  },
  'outbox-log': {
    about: "whether a log of SQLite's lies beside an outbox that is gone",
    why: 'What was written last is in the log; without its outbox it is lost, and owm makes no new outbox beside it.',
    todo: 'Move the outbox back beside its log; if it is lost for good, move the log away, too.',
    exitCode: 74,
  },
  'outbox-readable': {
    about: 'whether the outbox can be read',
    why: 'Nothing is read from it, stored in it or delivered until then.',
    todo: 'Do what the line says. Keep a copy of the file before anything else.',
    exitCode: 74,
  },
  'outbox-schema': {
    about: 'whether a newer owm has written the outbox',
    why: 'This owm refuses it, so as not to damage what it does not know.',
    todo: 'Update owm here; `owm --version` tells which it is. The tasks in the outbox are untouched.',
    exitCode: 74,
  },
  'outbox-owner': {
    about: "whether the outbox is this configuration's",
    why: "Another pipeline's tasks would go to this sink, or count as duplicates.",
    todo: 'Name another file in outbox.path; where the configuration was renamed or moved, `owm outbox adopt --owner`.',
    exitCode: 78,
  },
  'outbox-sink': {
    about: 'whether the sink is the one that the tasks in the outbox are for',
    why: 'No start stores or delivers anything until somebody decides which sink gets them.',
    todo: 'Do what the line says. A sink whose address has changed, but not its content, needs nothing.',
    exitCode: 78,
  },
  'outbox-left-behind': {
    about: 'outboxes beside those of the pipelines that no pipeline uses, with unfinished work',
    why: 'No start goes on with them, as when a pipeline was renamed: workers never get these tasks.',
    todo:
      'If its pipeline was renamed: `owm flush`, move the outbox of the new name away, put this one in its place ' +
      '(`mv`, with its -wal), then `owm outbox adopt --owner`. If it is gone: that and `owm flush` with --outbox.',
    exitCode: 0,
  },
  'outbox-journal': {
    about: 'journal mode of the file; each start sets and verifies it, with synchronous FULL',
    why: 'Another program has changed the file; readers and writers hold each other up until owm sets it back.',
    todo: 'Find the program that opens the outbox; the next start of owm sets the mode back.',
    exitCode: 0,
  },
  'outbox-size': {
    about: 'size of the file and of its log',
    why: 'Something keeps the outbox open for reading, so that its log grows on and on.',
    todo: 'Find the reader and end it: `fuser -v` with the name of the outbox lists who has it open.',
    exitCode: 0,
  },
  'outbox-lock': {
    about: 'who holds the outbox, and since when',
    why: 'While one owm holds it, no other start stores or delivers anything.',
    todo: 'Look at what that process waits for; if it hangs, end it: the next start resumes where it stopped.',
    exitCode: 75,
  },
  'outbox-circuit': {
    about: 'circuits to the source and the sink',
    why: 'After too many failures owm leaves the other side alone for a while; nothing is read or delivered then.',
    todo: 'Fix the other side. `owm flush --force` tries the sink at once, `owm produce --force` the source.',
    exitCode: 75,
  },
  'outbox-circuit-closing': {
    about: 'open circuits whose other side answers again',
    why: 'Nothing is read or delivered until the circuit closes.',
    todo: 'Nothing: it closes by itself. `owm flush --force` tries the sink at once, `owm produce --force` the source.',
    exitCode: 0,
  },
  'outbox-pending': {
    about: 'tasks that wait to be delivered, and for how long',
    why: 'They are safe in the outbox, but no worker has them.',
    todo: '`owm flush` delivers them, or says why it cannot.',
    exitCode: 75,
  },
  'outbox-runs': {
    about: 'runs that were begun and are not finished, or a newest one whose list was too short',
    why: 'Their slots are not whole.',
    todo: 'Fix what the line says, or run what it names; the next `owm produce` finishes the rest.',
    exitCode: 75,
  },
  'outbox-dead': {
    about: 'dead letters: tasks that the sink refused for good',
    why: 'No worker gets them.',
    todo: '`owm outbox inspect --state dead` shows why; then `owm outbox retry --all`, or `owm outbox purge --dead`.',
    exitCode: 75,
  },
  'source-options': {
    about: 'whether the source can be opened and read with its options',
    why: 'A retry cannot help: no run reads a location until this is corrected.',
    todo: 'Correct what the line names; `owm produce --dry-run` tries it without storing anything.',
    exitCode: 78,
  },
  'source-answers': {
    about: 'whether the source answers and gives a first page',
    why: 'A run that cannot read its source stays open, and its slot is not whole.',
    todo: 'Look at what the source reads from; the next `owm produce` reads on.',
    exitCode: 75,
  },
  'source-rejects': {
    about: 'share of the locations that are rejected, with the reasons',
    why: 'A rejected location gets no task.',
    todo: 'Correct the list, or the options that the reasons name; `owm outbox inspect --state rejected` shows each.',
    exitCode: 0,
  },
  'source-count': {
    about: 'number of locations, against the last runs, `source.minLocations` and `source.minShare`',
    why: 'A list that is suddenly half as long may be a part of itself.',
    todo: 'Compare the list with an older one; with `source.minShare: 0.5` owm refuses such a list by itself.',
    exitCode: 75,
  },
  'source-shrunk': {
    about: 'locations that the newest run read, against the one before it, where the list is too long to be counted',
    why: 'A list that is suddenly half as long may be a part of itself.',
    todo: 'Compare the list with an older one; with `source.minShare: 0.5` owm refuses such a list by itself.',
    exitCode: 0,
  },
  'sink-options': {
    about: 'whether the sink can be opened with its options',
    why: 'A retry cannot help: nothing is delivered until this is corrected.',
    todo: 'Correct what the line names, then run `owm config check --connect`.',
    exitCode: 78,
  },
  'sink-answers': {
    about: 'whether the sink can be opened and answers in its time',
    why: 'Tasks wait in the outbox until the sink answers.',
    todo: 'Look at the sink; then `owm flush`.',
    exitCode: 75,
  },
  'sink-receipts': {
    about: 'whether the sink has the receipts of the slots that were delivered to it',
    why: 'Receipts stand beside the tasks: where they are gone, the tasks may be, too.',
    todo:
      '`owm verify` says what differs; `owm flush` delivers again what is younger than a day and still in the outbox ' +
      '(outbox.keepTasks).',
    exitCode: 75,
  },
  'sink-shards': {
    about: 'whether shards that deliver to one sink keep up with each other, by its receipts',
    why: 'Workers get only a part of each slot, and no other shard can deliver the rest.',
    todo: 'Look at what starts that shard, and run `owm doctor` there; `owm runs --all-shards` shows what slots lack.',
    exitCode: 75,
  },
  'schedule-started': {
    about: 'whether runs start as often as the schedule says',
    why: 'Scheduled times pass without a run: their tasks come late, or never.',
    todo:
      'Look at what starts owm (`systemctl list-timers`, crontab or CronJob), and at what owm said if it did start; ' +
      '`owm schedule` shows what is due.',
    exitCode: 75,
  },
  'schedule-age': {
    about: 'whether schedule.maxAge reaches from one scheduled time to the next',
    why: 'A scheduled time that no start came for is too old when the next one comes: it is never made up.',
    todo: 'Set schedule.maxAge to the value that the line names; `owm schedule` shows what is due.',
    exitCode: 0,
  },
  'schedule-missed': {
    about: 'scheduled times of the last 7 days that no run serves',
    why: 'Workers get no task for them.',
    todo: '`owm schedule` lists them; `owm backfill` serves them after all.',
    exitCode: 0,
  },
  'schedule-lost': {
    about: 'slots whose tasks the sink had and lost',
    why: 'They are too old to be delivered again from the outbox.',
    todo: '`owm produce --again --slot` with a slot, as the line names it, reads it again.',
    exitCode: 75,
  },
} as const satisfies Readonly<Record<string, Check>>

export type Code = keyof typeof checks
