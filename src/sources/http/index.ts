/**
 * A paginated API, mostly of JSON. Each page is one request under owm's retries; the place of the next one is the
 * checkpoint. A run that died asks once more for the last page that it stored: if that is another one by now, the pages
 * have shifted, and the list is read anew.
 *
 * A list that changes while it is read by page number or offset shifts, too: owm notices what comes twice, but what was
 * skipped shows in nothing but the total. So a total that changes is logged, and a list that ends before its total
 * is reached fails: what came is stored, and the next start reads the list again.
 */
import { defineSource, type Source } from '../../plugin.js'
import { Mapping } from '../fields/mapping.js'
import { Reader } from './answer/index.js'
import { credentials } from './credentials.js'
import { options } from './options.js'
import { Pages } from './pages.js'
import { Client } from './request.js'

export default defineSource({
  name: 'http',
  description: 'a paginated API of JSON, NDJSON or CSV',
  minLocations: 1, // an API that gives none was mostly asked the wrong question
  options,
  async open(given, context): Promise<Source> {
    const { own, secrets } = credentials(given)
    const { EnvHttpProxyAgent } = (await import('undici')).default
    // Each request has its own time-out, around all of it.
    const dispatcher = new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 })
    const client = new Client(given, own, dispatcher, context.signal)
    const { origin, pathname } = new URL(given.url)
    const isTable = given.format === 'csv' || given.format === 'tsv'
    const thing = isTable || given.layout === 'rows' ? 'column' : 'key'
    const settings = isTable ? { ...given, nulls: given.nulls ?? ['\\N'] } : given
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
