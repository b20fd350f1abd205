/** Slurm on this machine, for as long as a test needs it: munge, slurmctld and slurmd, all files in a folder. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './cli.js'

export interface Slurm {
  /** The environment that sbatch, squeue and scontrol find it by. */
  readonly env: { readonly SLURM_CONF: string }
  /** Runs one of its commands and gives what it prints. */
  command(name: 'sbatch' | 'squeue' | 'scontrol' | 'sinfo', ...args: string[]): Promise<string>
  stop(): Promise<void>
}

export async function startSlurm(): Promise<Slurm> {
  const folder = await mkdtemp(join(tmpdir(), 'owm-slurm-'))
  const at = (name: string): string => join(folder, name)
  const started: ChildProcess[] = []
  const env = { SLURM_CONF: at('slurm.conf') }
  const run = promisify(execFile)
  const slurm: Slurm = {
    env,
    async command(name, ...args) {
      return (await run(name, args, { env: { ...process.env, ...env } })).stdout.trim()
    },
    async stop() {
      for (const daemon of started.reverse()) {
        if (daemon.exitCode !== null || daemon.signalCode !== null) continue
        const ended = once(daemon, 'exit')
        daemon.kill()
        await ended
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
  async function start(program: string, ...args: string[]): Promise<void> {
    const daemon = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'ignore' })
    await once(daemon, 'spawn')
    started.push(daemon)
  }
  try {
    for (const name of ['munge', 'state', 'spool']) await mkdir(at(name), { mode: 0o700 })
    await writeFile(at('munge/key'), randomBytes(1024), { mode: 0o600 })
    await writeFile(env.SLURM_CONF, configuration(folder, randomInt(20_000, 30_000)))
    const files = ['key-file', 'socket', 'pid-file', 'log-file', 'seed-file'].flatMap((name) => [
      `--${name}`,
      at(`munge/${name.replace('-file', '')}`),
    ])
    await start('munged', '--foreground', '--force', ...files)
    await until(() => run('munge', ['--no-input', '--socket', at('munge/socket')]).then(Boolean, () => false))
    await start('slurmctld', '-D')
    await start('slurmd', '-D')
    await until(async () => /^idle$/m.test(await slurm.command('sinfo', '-h', '-o', '%T').catch(() => '')))
    return slurm
  } catch (error) {
    await slurm.stop()
    throw error
  }
}

/** For one machine without cgroups and accounting, which starts jobs at once. RequeueExit is what owm asks for. */
function configuration(folder: string, port: number): string {
  const [host = ''] = hostname().split('.')
  const { username } = userInfo()
  return `ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
SlurmdPort=${port + 1}
AuthType=auth/munge
AuthInfo=socket=${folder}/munge/socket
SlurmUser=${username}
SlurmdUser=${username}
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
RequeueExit=75
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN
PartitionName=all Nodes=${host} Default=YES MaxTime=INFINITE State=UP
`
}
