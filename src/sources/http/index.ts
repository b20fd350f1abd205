/**
 * A paginated API, usually of JSON. Each page is one request under owm's retries; the place of the next one is the
 * checkpoint. A resumed run requests the last page that it stored again: if that has changed, the pages have shifted,
 * and the list is read from its start.
 *
 * Pages by number or offset also shift if the list changes while it is read. owm notices duplicates, but only the total
 * reveals skipped items. So a total that changes is logged, and a list that ends before its total fails: what was read
 * is stored, and the next start reads the list again.
 */
import { defineSource, type Source } from '../../plugin.js'
import { Mapping } from '../fields/mapping.js'
import { isTable, withNulls } from '../formats/records.js'
import { Reader } from './answer/index.js'
import { credentials } from './credentials.js'
import { options } from './options.js'
import { Pages } from './pages.js'
import { proxiesIn } from './proxy.js'
import { Client } from './request.js'

export default defineSource({
  name: 'http',
  description: 'a paginated API of JSON, NDJSON or CSV',
  minLocations: 1, // an empty list usually means a wrong request
  options,
  async open(given, context): Promise<Source> {
    const { own, secrets } = credentials(given)
    const proxies = proxiesIn(process.env)
    const { EnvHttpProxyAgent } = (await import('undici')).default
    const dispatcher = new EnvHttpProxyAgent({
      httpProxy: proxies.http?.url ?? '',
      httpsProxy: proxies.https?.url ?? '',
      // Each request has its own time-out for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    const client = new Client(given, own, { dispatcher, proxies }, context.signal)
    const { origin, pathname } = new URL(given.url)
    const thing = isTable(given.format) || given.layout === 'rows' ? 'column' : 'key'
    const settings = withNulls(given, given.format)
    return {
      read(resume) {
        const mapping = new Mapping(settings, { title: `${origin}${pathname}`, thing, log: context.log })
        const reader = new Reader(settings, secrets, mapping)
        return new Pages({ given: settings, client, reader, mapping }, context).read(resume)
      },
      close: () => client.close(),
    }
  },
})
