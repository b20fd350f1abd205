/**
 * A paginated JSON API. Each page is one request under owm's retries; its place is the checkpoint, so a run that
 * died asks for no page again that it stored.
 *
 * A list that changes while it is read by page number or offset shifts: owm notices what comes twice, but what was
 * skipped shows in nothing but the total. So a total that changes is logged, and a list that ends before its total
 * is reached fails: what came is stored, and the next start reads the list again.
 */
import { defineSource, type Source } from '../../plugin.js'
import { Reader } from './answer.js'
import { credentials } from './credentials.js'
import { options } from './options.js'
import { Pages } from './pages.js'
import { paginationOf } from './pagination/index.js'
import { Client } from './request.js'

export default defineSource({
  name: 'http',
  description: 'a paginated JSON API',
  options,
  async open(given, context): Promise<Source> {
    const { own, secrets } = credentials(given)
    const { EnvHttpProxyAgent } = (await import('undici')).default
    // Each request has its own time-out, around all of it.
    const dispatcher = new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 })
    const client = new Client(given, own, dispatcher, context.signal)
    const api = { given, client, pagination: paginationOf(given), reader: new Reader(given, secrets) }
    return {
      read: (resume) => new Pages(api, context).read(resume),
      close: () => client.close(),
    }
  },
})
