/** What comes for Prometheus and Grafana: the rules with their tests, and each query against a real Prometheus. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { metrics } from '../../src/observe/metrics.js'
import { folderWith, owm, root, temporaryFolder, until } from '../support/cli.js'
import { startRedis } from '../support/redis.js'
import { freePort } from './heard.js'

const run = promisify(execFile)
const deploy = join(root, 'deploy')

const dashboard = async (): Promise<{ panels: { title: string; targets: { expr: string }[] }[] }> =>
  JSON.parse(await readFile(join(deploy, 'grafana', 'owm.json'), 'utf8'))
const rules = async (): Promise<{ alert: string; expr: string }[]> =>
  parse(await readFile(join(deploy, 'prometheus', 'owm.rules.yml'), 'utf8')).groups[0].rules

test('the alert rules pass their own tests, of which each has one that fires and one that does not', async () => {
  const cwd = join(deploy, 'prometheus')
  await run('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', 'owm.rules.yml'], { cwd })
  await run('promtool', ['test', 'rules', 'owm.rules.test.yml'], { cwd })
  const { tests } = parse(await readFile(join(cwd, 'owm.rules.test.yml'), 'utf8'))
  const cases: { alertname: string; exp_alerts: unknown[] }[] = tests.flatMap(
    (one: { alert_rule_test: object[] }) => one.alert_rule_test,
  )
  for (const { alert } of await rules()) {
    const fires = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: all }) => all.length > 0)
    expect([alert, new Set(fires)]).toEqual([alert, new Set([true, false])])
  }
})

test('the queries name metrics that there are, and each of the dashboard gives a value', async () => {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const client = new Redis(redis.url)
  await client.xgroup('CREATE', 'owm-ingestion-stream', 'workers', '$', 'MKSTREAM')
  client.disconnect()
  const cwd = await folderWith({
    schedule: { cron: '* * * * *' },
    source: { use: 'simulated-db', count: 10 },
    sink: { use: 'redis-stream', url: redis.url, maxLength: 1_000 },
    outbox: { path: './outbox.db' },
    metrics: { textfile: './owm.prom' },
  })
  expect(await owm(['produce'], { cwd })).toMatchObject({ code: 0 })
  const query = await prometheusOf(() => readFile(join(cwd, 'owm.prom')))
  await until(async () => (await query('owm_run_exit_code')).length > 0)

  const shown = (await dashboard()).panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))
  for (const { title, expr } of shown) {
    const all = expr.replaceAll(/\$(pipeline|shard)/g, '.*')
    expect([title, (await query(all)).length], all).not.toEqual([title, 0])
  }
  for (const { alert, expr } of await rules()) expect([alert, await query(expr)]).toEqual([alert, []])

  const used = [...shown, ...(await rules())].flatMap(({ expr }) => expr.match(/\bowm_\w+/g) ?? [])
  const names = metrics.map(({ name }) => name)
  expect(used.filter((name) => !names.includes(name))).toEqual([])
  const page = await readFile(join(root, 'docs', 'monitoring.md'), 'utf8')
  for (const { name, help, by } of metrics)
    expect(page).toContain(`| \`${name}\`${by ? ` by \`${by}\`` : ''} | ${help} |`)
})

/** A Prometheus that scrapes a text, as node_exporter would show it; gives what a query gives. */
async function prometheusOf(text: () => Promise<Buffer>): Promise<(query: string) => Promise<unknown[]>> {
  const [exporter, port] = [await freePort(), await freePort()]
  const server = createServer(async (_, response) => response.end(await text())).listen(exporter, '127.0.0.1')
  const folder = await temporaryFolder()
  const scrape = { job_name: 'node', static_configs: [{ targets: [`127.0.0.1:${exporter}`] }] }
  const config = { global: { scrape_interval: '1s' }, scrape_configs: [scrape] }
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config)) // JSON is YAML
  const flags = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const prometheus = spawn('prometheus', flags, { stdio: 'ignore' })
  const gone = once(prometheus, 'exit')
  onTestFinished(async () => {
    prometheus.kill()
    await gone
    server.closeAllConnections()
    server.close()
  })
  const ready = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(ready)
  return async (query) => {
    const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`
    const answer: { status: string; data: { result: unknown[] } } = JSON.parse(await (await fetch(url)).text())
    expect([query, answer.status]).toEqual([query, 'success'])
    return answer.data.result
  }
}
