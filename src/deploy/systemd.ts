/**
 * A service and its timer. The timer catches up after the machine was off (Persistent), the service retries transient
 * failures (Restart), and owm decides which times are due.
 */
import { compact } from '../lists.js'
import { fieldsOf } from '../schedule/fields.js'
import { indexVariable } from '../tasks/shard.js'
import { comment, inShell, listed, type Part, quoted, type Start, startTimes, waiting } from './start.js'

const units = '/etc/systemd/system'

/** @param now milliseconds since 1970 */
export const systemd = (starts: readonly Start[], now: number): Part[] =>
  starts.flatMap((start) => [
    { name: `${start.name}.service`, text: serviceOf(start) },
    { name: `${start.name}.timer`, text: timerOf(start, now) },
  ])

function serviceOf(start: Start): string {
  const { name, config, folder, user } = start
  return [
    comment(`${units}/${name}.service`, ...stepsFor(start)),
    ...['[Unit]', `Description=owm, for ${literal(config)}`],
    ...['Wants=network-online.target', 'After=network-online.target', ''],
    ...['[Service]', 'Type=oneshot'],
    '# The user who owns the outbox.',
    ...[`User=${user}`, `WorkingDirectory=${folderOf(folder)}`, `ExecStart=${callOf(start)}`],
    ...(start.isLink
      ? ["# The outbox is this folder's by this name.", `Environment=${quoted(`PWD=${folder}`, inQuotes)}`]
      : []),
    ...(start.index === undefined ? [] : [`Environment=${indexVariable}=${start.index}`]),
    ...environmentOf(start),
    '# A run that takes longer hangs: it is ended, and the next one goes on where it was.',
    'TimeoutStartSec=6h',
    '# What may work later is tried again; wrong flags (2), wrong data (65), a fault of owm (70) and a wrong',
    '# configuration (78) wait for you. 143 is how owm ends when systemd stops it.',
    ...['Restart=on-failure', 'RestartSec=5min'],
    ...['RestartPreventExitStatus=2 65 70 78', 'SuccessExitStatus=143'],
    ...hardeningOf(start),
    '',
  ].join('\n')
}

/** ReadWritePaths must exist before the service starts. */
function stepsFor({ name, writes }: Start): string[] {
  const folders = writes.filter(isKnown)
  return compact(
    folders.length > 0 && `Before:  mkdir -p ${folders.map(inShell).join(' ')}   # as the user below`,
    `Then:    systemctl daemon-reload && systemctl enable --now ${name}.timer`,
  )
}

/** Whether a folder's path has no variable. */
const isKnown = (folder: string): boolean => !folder.includes('${')

const callOf = ({ node, program, named, flags }: Start): string =>
  [node, program, 'produce', ...waiting, '--config', named, ...flags]
    .map((word) => quoted(word, inQuotes).replaceAll('$', '$$$$'))
    .join(' ')

/** systemd's specifiers begin with a `%`. */
const literal = (text: string): string => text.replaceAll('%', '%%')

/** Quotes don't work here: a final slash protects a trailing space, and keeps a trailing `\` from joining lines. */
const folderOf = (folder: string): string => literal(folder.replace(/[\\\s]$/, '$&/'))

const inQuotes = (text: string): string => `"${literal(text).replace(/["\\]/g, '\\$&')}"`

function environmentOf({ name, variables, credentials }: Start): string[] {
  const own = variables.filter((variable) => variable !== 'STATE_DIRECTORY')
  return compact(
    ...(own.length === 0
      ? []
      : [
          `# A file of root's (mode 0600), with a line NAME=value for each of: ${own.join(', ')}.`,
          `EnvironmentFile=/etc/owm/${name}.env`,
        ]),
    ...(credentials.length === 0 ? [] : ["# Files of root's (mode 0600) with the secrets."]),
    ...credentials.map((credential) => `LoadCredential=${credential}:/etc/owm/${credential}`),
    variables.includes('STATE_DIRECTORY') && 'StateDirectory=owm',
  )
}

/** Without MemoryDenyWriteExecute: Node's JIT needs it off. */
function hardeningOf({ writes, folder, config, program }: Start): string[] {
  const known = writes.filter(isKnown)
  const unknown = writes.filter((path) => !isKnown(path) && !path.includes('${STATE_DIRECTORY}'))
  const needsTmp = [...known, folder, config, program].some((path) => /^\/(var\/)?tmp(\/|$)/.test(path))
  return [
    '# It may write here only.',
    ...known.map((path) => `ReadWritePaths=${quoted(path, inQuotes)}`),
    ...unknown.map((path) => `# FILL IN: ReadWritePaths=${path}`),
    ...['ProtectSystem=strict', 'ProtectHome=read-only', ...(needsTmp ? [] : ['PrivateTmp=yes'])],
    ...hardening,
  ]
}

const hardening = [
  ...['NoNewPrivileges=yes', 'CapabilityBoundingSet=', 'AmbientCapabilities=', 'PrivateDevices=yes'],
  'PrivateMounts=yes',
  ...['ProtectKernelTunables=yes', 'ProtectKernelModules=yes', 'ProtectKernelLogs=yes', 'ProtectControlGroups=yes'],
  ...['ProtectClock=yes', 'ProtectHostname=yes', 'ProtectProc=invisible', 'LockPersonality=yes', 'RemoveIPC=yes'],
  ...['RestrictNamespaces=yes', 'RestrictRealtime=yes', 'RestrictSUIDSGID=yes'],
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  // A forbidden call fails instead of killing Node, which probes for some calls and can do without.
  ...['SystemCallArchitectures=native', 'SystemCallErrorNumber=EPERM'],
  ...['SystemCallFilter=@system-service @pkey', 'SystemCallFilter=~@resources'],
]

function timerOf({ name, schedule }: Start, now: number): string {
  return [
    comment(`${units}/${name}.timer`, `"${schedule.cron}" in ${schedule.timezone}`),
    ...['[Unit]', `Description=when ${name}.service is due`, ''],
    ...['[Timer]', ...calendarOf(schedule, now).map((times) => `OnCalendar=${times}`)],
    ...['Persistent=true', 'AccuracySec=1s', ''],
    ...['[Install]', 'WantedBy=timers.target', ''],
  ].join('\n')
}

const weekdayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const

/** What systemd can't express, such as the last day of a month, becomes hourly starts; owm decides. */
function calendarOf(schedule: Start['schedule'], now: number): string[] {
  const { cron, timezone } = schedule
  const { minutes, days, months, weekdays, anyDay, anyWeekday, isPlain } = fieldsOf(cron)
  const minute = `${listed(minutes, 60)}:00 ${timezone}`
  if (!isPlain) return [`*-*-* *:${minute}`]
  const { hours, onAllDays } = startTimes(schedule, now)
  const [month, hour] = [listed(months, 12), listed(hours, 24)]
  if (onAllDays) return [`*-*-* ${hour}:${minute}`]
  const byDay = `*-${month}-${listed(days, 31)} ${hour}:${minute}`
  const byWeekday = `${weekdays.map((day) => weekdayNames[day]).join(',')} *-${month}-* ${hour}:${minute}`
  return [...(anyDay && !anyWeekday ? [] : [byDay]), ...(anyWeekday ? [] : [byWeekday])]
}
