/** Real APIs by every pagination there is: either all of a list comes, or owm says that it didn't. */
import { describe, expect, test } from 'vitest'
import { api, idsOf, type Read, readAll } from '../api.js'
import { counts } from './counts.js'
import { cursors } from './cursors.js'
import { count, type RealApi } from './list.js'
import { standards } from './standards.js'

const wrong = [undefined, 'page', 'offset', 'cursor', 'link'].flatMap((type) => [
  { type },
  { type, limit: 1000 },
  { type: type ?? 'page', limit: 1000, end: 'short' },
  { type: type ?? 'page', end: 'not-found' },
])

async function served({ answer }: RealApi): Promise<string> {
  const server = await api((request, response) => {
    const { searchParams, pathname } = new URL(request.url ?? '', 'http://127.0.0.1')
    const { body, headers = {}, status = 200 } = answer(searchParams, pathname)
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  return `${server.origin}/places`
}

const isAll = (read: Read): boolean => new Set(idsOf(read)).size === count

describe.each([...standards, ...cursors, ...counts])('$name', (given) => {
  test.runIf(given.right)('is read as it should be', async () => {
    const read = await readAll({ url: await served(given), ...given.right }, { attempts: 1 })
    expect(read.error).toBeUndefined()
    expect(isAll(read)).toBe(true)
  })

  test.skipIf(given.isSilent)('is never silently short', async () => {
    const url = await served(given)
    const { items, fields } = given.right ?? {}
    for (const pagination of wrong) {
      const read = await readAll({ url, pagination, items, fields }, { attempts: 1 })
      const isTold = read.error !== undefined || read.warnings.length > 0
      expect(isTold || isAll(read), JSON.stringify(pagination)).toBe(true)
    }
  })
})
