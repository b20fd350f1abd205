/** Puts the commands of oclif.manifest.json in order: as oclif writes them, they come as the disk lists them. */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const path = join(dirname(import.meta.dirname), 'oclif.manifest.json')
const manifest = JSON.parse(await readFile(path, 'utf8'))
const commands = Object.entries(manifest.commands).sort(([one], [other]) => (one < other ? -1 : 1))
await writeFile(path, JSON.stringify({ ...manifest, commands: Object.fromEntries(commands) }, null, 2))
