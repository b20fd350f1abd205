/**
 * Loaded before owm (`node --import`): leaves what the process used in files that the environment names.
 * OWM_BENCH_PEAK: peak memory in bytes. OWM_BENCH_USAGE: CPU seconds of all its threads.
 */
import { readFileSync, writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { OWM_BENCH_PEAK: peakFile, OWM_BENCH_USAGE: usageFile } = process.env
  if (peakFile) writeFileSync(peakFile, String(peak()))
  const { user, system } = process.cpuUsage()
  if (usageFile) writeFileSync(usageFile, String((user + system) / 1e6))
})

/** Linux' getrusage() counts what the parent had at the fork as well; /proc doesn't. */
function peak() {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
