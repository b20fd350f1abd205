/** Puts the commands of oclif.manifest.json in order: as oclif writes them, they come as the disk lists them. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const path = fileURLToPath(new URL('../oclif.manifest.json', import.meta.url))
const manifest = JSON.parse(await readFile(path, 'utf8'))
const commands = Object.entries(manifest.commands).sort(([one], [other]) => (one < other ? -1 : 1))
await writeFile(path, JSON.stringify({ ...manifest, commands: Object.fromEntries(commands) }, null, 2))
