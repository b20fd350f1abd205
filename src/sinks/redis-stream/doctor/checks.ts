/** What `owm doctor` checks in Redis. */
import type { Check } from '../../../plugin.js'

export const checks = {
  'redis-reachable': {
    about: 'whether Redis answers',
    why: 'Tasks wait in the outbox until Redis answers.',
    todo: 'Do what the line says; then `owm flush`.',
    exitCode: 75,
  },
  'redis-refused': {
    about: 'whether Redis takes user, password, certificate and database',
    why: 'A retry cannot help: nothing is delivered until this is corrected.',
    todo: 'Do what the line says, then run `owm config check --connect`.',
    exitCode: 78,
  },
  'redis-tls': {
    about: 'whether the password crosses the network in the clear',
    why: 'Whoever sees the packets can read and change the stream.',
    todo: 'Let the server speak TLS and write rediss:// in sink.url, or go through a tunnel.',
    exitCode: 0,
  },
  'redis-version': {
    about: 'version of the server',
    why: 'Streams came with Redis 5.',
    todo: 'Update the server to 7 or newer.',
    exitCode: 78,
  },
  'redis-lag': {
    about: 'whether the server tells how far its readers are',
    why: 'Before Redis 7 owm must look at entries one by one before the bound trims them, and sees fewer lost streams.',
    todo: 'Update the server to 7 or newer.',
    exitCode: 0,
  },
  'redis-policy': {
    about: 'what Redis removes when its memory is full (maxmemory-policy)',
    why: 'It may delete the stream with all of its tasks, and what owm keeps beside it.',
    todo: '`redis-cli CONFIG SET maxmemory-policy noeviction`, and the same in its configuration.',
    exitCode: 78,
  },
  'redis-memory': {
    about: 'memory in use, against maxmemory',
    why: 'A full server takes no more tasks; they wait in the outbox.',
    // A lower sink.maxLength doesn't help: a full server refuses the script that trims.
    todo: 'Free memory or raise maxmemory; then `owm flush`.',
    exitCode: 75,
  },
  'redis-expiry': {
    about: "whether the stream or owm's keys beside it expire",
    why: 'Redis deletes them at that time, with all tasks.',
    todo: '`redis-cli PERSIST` with the key, and find who set the time.',
    exitCode: 75,
  },
  'redis-persistence': {
    about: 'whether Redis keeps its data on a disk (append-only file or snapshots)',
    why:
      'A restart of the server empties the stream. owm delivers again what is younger than 24 h and among the newest ' +
      'outbox.keepTasks tasks; the rest is lost.',
    todo: '`redis-cli CONFIG SET appendonly yes`, and the same in its configuration.',
    exitCode: 0,
  },
  'redis-save': {
    about: 'whether the last write of Redis to its disk succeeded',
    why: 'Redis may refuse writes (MISCONF), and a restart would lose what came since the last good one.',
    todo: "Look at the server's log, its disk and the rights of its folder; then `redis-cli BGSAVE`.",
    exitCode: 75,
  },
  'redis-replica': {
    about: 'whether this server is the master',
    why: 'A replica can only be read: nothing is delivered.',
    todo:
      'Name the master in sink.url, or wait for the failover to end; then `owm flush`, or, where that says that the ' +
      'sink is another one, `owm outbox adopt --sink`.',
    exitCode: 75,
  },
  'redis-replicas': {
    about: 'whether enough replicas are connected (min-replicas-to-write)',
    why: 'Redis refuses writes until they are: tasks wait in the outbox.',
    todo: 'Bring the replicas back; then `owm flush`.',
    exitCode: 75,
  },
  'redis-durability': {
    about: 'whether as many replicas keep up as sink.durability asks for',
    why: 'Nothing counts as delivered until they do: tasks wait in the outbox.',
    todo: 'Bring the replicas back, or lower sink.durability; then `owm flush`.',
    exitCode: 75,
  },
  'redis-replica-lag': {
    about: 'how far the replicas are behind',
    why: 'A failover to one of them loses what it lacks; owm delivers that again, as far as outbox.keepTasks reaches.',
    todo: 'Look at the replica and the network between.',
    exitCode: 0,
  },
  'redis-commands': {
    about: 'whether this user may give every command that owm needs',
    why: 'A run stops with 78 at the first command that is refused.',
    todo: 'Give the user the commands that the line names, on ~STREAM and ~{STREAM}:owm:* (docs/sinks.md).',
    exitCode: 78,
  },
  'redis-cluster': {
    about: 'whether a cluster is whole, and this node serves the hash slot of the stream',
    why: 'Nothing is delivered to another node, or while the cluster is down.',
    todo: 'Name some nodes in sink.cluster instead of one in sink.url, or repair the cluster; then `owm flush`.',
    exitCode: 75,
  },
  'redis-clock': {
    about: "this machine's clock, against that of Redis",
    why: 'Slots, entries and the age of what waits are told by these clocks.',
    todo: 'Set the clock that is wrong (`timedatectl` shows whether it is synchronized).',
    exitCode: 75,
  },
  'redis-stream': {
    about: "whether the keys of the stream, and of owm's beside it, are of their types",
    why: 'Nothing can be added to another kind of key: a run stops with 78.',
    todo: 'Name another key in sink.stream, or move that one away.',
    exitCode: 78,
  },
  'redis-tasks': {
    about: 'whether the stream is the one that owm has added to',
    why: 'Somebody deleted or renamed it: the tasks that nobody had read are gone from it.',
    todo: '`owm flush` delivers again what is younger than a day and still in the outbox, and names what is not.',
    exitCode: 75,
  },
  'redis-length': {
    about: 'length of the stream, against its bound',
    why: 'Somebody else adds entries without a bound, or with a larger one: the next run trims them.',
    todo: 'Give all who write to the stream the same sink.maxLength.',
    exitCode: 0,
  },
  'redis-bound': {
    about: "the stream's bound, against the tasks of one slot",
    why: 'A slot never trims its own tasks: what exceeds the bound waits in the outbox until readers are done (75).',
    todo: 'Raise sink.maxLength to some slots at least, and outbox.keepTasks with it; then `owm flush`.',
    exitCode: 75,
  },
  'redis-unread': {
    about: 'unread entries, against the bound',
    why: 'The next tasks trim what nobody has read (onFull: trim), or wait in the outbox (onFull: hold).',
    todo: 'Let the readers catch up, or raise sink.maxLength; `owm stream inspect` shows each group.',
    exitCode: 75,
  },
  'redis-no-group': {
    about: 'whether a consumer group reads the stream',
    why: 'Nobody knows which tasks were read, so that the bound trims them unseen.',
    todo: 'Make a group: `redis-cli XGROUP CREATE` with the stream, a name and 0. Plain readers need none.',
    exitCode: 0,
  },
  'redis-abandoned-group': {
    about: 'groups that have stopped reading',
    why: 'Its tasks are not done; with `onFull: hold` it keeps new ones out as soon as the stream is full.',
    todo: 'Start its workers; if nobody reads with it, `redis-cli XGROUP DESTROY` with the stream and the group.',
    exitCode: 75,
  },
  'redis-late-group': {
    about: 'entries that came before every group',
    why: 'The groups were made behind them, at $: no group will ever see them.',
    todo: '`redis-cli XGROUP SETID` with the stream, the group and 0: it reads from the beginning.',
    exitCode: 75,
  },
  'redis-fences': {
    about: 'other outboxes that write to the stream',
    why:
      'A task id is made of slot and location id, not of the list: places of two lists with the id 1 get the same ' +
      'one, and workers that skip by task_id drop the second.',
    todo:
      'Find who else delivers here. A copy of the outbox needs an end; another list its own sink.stream, or a ' +
      'taskNamespace, unless all of its location ids differ.',
    exitCode: 0,
  },
} as const satisfies Readonly<Record<string, Check>>

export type Code = keyof typeof checks
