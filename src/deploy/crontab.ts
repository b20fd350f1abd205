/**
 * Lines for `crontab -e`. Debian's cron has no time zones, and no cron repeats what it missed or what failed; owm does
 * both. So cron starts it each hour, at the minutes of the schedule by this machine's clock, and owm decides whether a
 * time is due.
 */
import { fieldsOf } from '../schedule/fields.js'
import { zone } from '../schedule/zone.js'
import { indexVariable } from '../tasks/shard.js'
import { comment, inShell, listed, type Part, type Start, waiting } from './start.js'

/** @param now milliseconds since 1970 */
export function crontab(starts: readonly Start[], now: number): Part[] {
  return [{ name: 'crontab', text: head(starts) + starts.map((start) => cronLine(start, now)).join('') }]
}

function head(starts: readonly Start[]): string {
  const [first] = starts
  const variables = [...new Set(starts.flatMap((start) => [...start.variables, ...credentialsFolder(start)]))]
  return [
    comment(
      `owm, for ${first?.config}`,
      `To be added with \`crontab -e\` by ${first?.user}, who owns the outbox.`,
      'cron starts owm each hour, at the minutes of the schedule. owm serves what is due; else it ends at once.',
      'It prints nothing but trouble, which cron mails: MAILTO=you@example.com says to whom.',
    ),
    variables.length === 0
      ? ''
      : comment(
          "The configuration reads these variables, which cron doesn't know. Set each in a line without the #:",
          ...variables.map((name) => `${name}=`),
        ),
  ].join('')
}

const credentialsFolder = ({ credentials }: Start): string[] =>
  credentials.length > 0 ? ['CREDENTIALS_DIRECTORY'] : []

function cronLine({ name, node, program, folder, named, flags, index, schedule }: Start, now: number): string {
  const call = [node, program, 'produce', '-q', ...waiting, '--config', named, ...flags]
  const shard = index === undefined ? '' : `${indexVariable}=${index} `
  const command = `cd ${inCron(folder)} && ${shard}${call.map(inCron).join(' ')}`
  const minutes = minutesHere(schedule, now)
  return [
    comment(`${name}: "${schedule.cron}" in ${schedule.timezone}`),
    `${listed(minutes, 60)} * * * *  ${command}\n`,
  ].join('')
}

/**
 * The minutes by this machine's clock: another zone may be 30 or 45 minutes off, and differ between summer and winter.
 * A time that the clocks skip waits for the next of these minutes.
 */
function minutesHere({ cron, timezone }: Start['schedule'], now: number): number[] {
  const { local } = zone(timezone)
  const offsets = new Set<number>()
  const day = 24 * 60 * 60_000
  for (let time = Math.floor(now / day) * day; time < now + 366 * day; time += day)
    offsets.add(new Date(time).getMinutes() - new Date(local(time)).getUTCMinutes())
  const here = fieldsOf(cron).minutes.flatMap((minute) => [...offsets].map((more) => (minute + more + 60) % 60))
  return [...new Set(here)].sort((a, b) => a - b)
}

/** A word for the shell in a crontab, where a bare `%` is a line feed. */
const inCron = (word: string): string => inShell(word).replaceAll('%', '\\%')
