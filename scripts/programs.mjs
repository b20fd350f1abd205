/** The programs that the tests start besides Node and owm, and which test files need them. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const postgres = '/usr/lib/postgresql'
const isLinux = process.platform === 'linux'
const isRoot = isLinux && process.getuid?.() === 0

/**
 * name: the program. debian, brew: its package. folders: where it may be besides PATH. file: of what is no program.
 * isHere: of what nobody can install. linux: elsewhere there is none, and its tests leave themselves out.
 * usedBy: what stands in the test files that need it.
 */
const programs = [
  { name: 'redis-server', debian: 'redis-server', brew: 'redis', usedBy: /support\/redis[\w-]*\.js'/ },
  {
    name: 'postgres',
    debian: 'postgresql',
    brew: 'postgresql',
    folders: existsSync(postgres) ? readdirSync(postgres).map((version) => join(postgres, version, 'bin')) : [],
    usedBy: /support\/databases\.js'/,
  },
  { name: 'mariadbd', debian: 'mariadb-server', brew: 'mariadb', usedBy: /support\/databases\.js'/ },
  { name: 'openssl', debian: 'openssl', brew: 'openssl', usedBy: /support\/databases\.js'|'openssl'/ },
  { name: 'strace', debian: 'strace', usedBy: /'strace'/, linux: true },
  { name: 'nutcracker', debian: 'nutcracker', usedBy: /'nutcracker'/, linux: true },
  { name: 'zsh', debian: 'zsh', brew: 'zsh', usedBy: /'zsh'/ },
  { name: 'fish', debian: 'fish', brew: 'fish', usedBy: /'fish'/ },
  { name: 'systemd-analyze', debian: 'systemd', usedBy: /'systemd-analyze'|systemd\.md'/, linux: true },
  { name: 'prometheus', debian: 'prometheus', brew: 'prometheus', usedBy: /'(prometheus|promtool)'/ },
  { name: 'promtool', debian: 'prometheus', brew: 'prometheus', usedBy: /'promtool'|promtool check/ },
  { name: 'prometheus-pushgateway', debian: 'prometheus-pushgateway', usedBy: /'prometheus-pushgateway'/, linux: true },
  { name: 'chromium', debian: 'chromium', usedBy: /support\/chromium\.js'/, linux: true },
  { name: 'docker', debian: 'docker.io', usedBy: /support\/docker\.js'/, linux: true },
  { name: 'kubectl', debian: 'kubernetes-client', usedBy: /'kubectl'/, linux: true },
  { name: 'munged', debian: 'munge', usedBy: /support\/slurm\.js'/, linux: true },
  { name: 'slurmctld', debian: 'slurmctld', usedBy: /support\/slurm\.js'/, linux: true },
  { name: 'slurmd', debian: 'slurmd', usedBy: /support\/slurm\.js'/, linux: true },
  { name: 'sbatch', debian: 'slurm-client', usedBy: /support\/slurm\.js'/, linux: true },
  { name: 'ecflow_server', debian: 'ecflow-server', usedBy: /'ecflow\.md'/, linux: true },
  { name: 'ecflow_client', debian: 'ecflow-client', usedBy: /'ecflow\.md'/, linux: true },
  { name: 'cron', debian: 'cron', usedBy: /'try-cron\.sh'/, linux: true },
  { name: 'tini', debian: 'tini', usedBy: /support\/docker\.js'/, linux: true },
  // What starts daemons, containers and namespaces of its own.
  { name: 'root on Linux', isHere: isRoot, usedBy: /support\/(docker|slurm)\.js'|'(try-cron\.sh|ecflow\.md)'/ },
  { name: 'spin', debian: 'spin', brew: 'spin', usedBy: /'spin'/ },
  {
    name: 'redis-py',
    debian: 'python3-redis',
    brew: 'redis-py',
    file: '/usr/lib/python3/dist-packages/redis/client.py',
    usedBy: /'worker\.py'/,
  },
]

/** Those that aren't on this machine. */
export const missingPrograms = () =>
  programs.filter(
    ({ name, folders, file, linux, isHere = file === undefined ? isThere(name, folders) : existsSync(file) }) =>
      (isLinux || !linux) && !isHere,
  )

/** The test files that can't run without these programs: their paths in the project, and the programs' names. */
export function filesWithout(missing) {
  if (missing.length === 0) return []
  const files = readdirSync(join(root, 'test'), { recursive: true }).filter((file) => file.endsWith('.test.ts'))
  return files.sort().flatMap((name) => {
    const file = join('test', name)
    const text = readFileSync(join(root, file), 'utf8')
    const needs = missing.filter(({ usedBy }) => usedBy.test(text)).map((program) => program.name)
    return needs.length > 0 ? [{ file, needs }] : []
  })
}

export function isThere(name, folders = []) {
  const path = [...folders, '/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(delimiter)]
  return path.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
