/**
 * The generation in the mark, and whether the next start will raise it. Reads only. (A script, since twemproxy doesn't
 * pass XINFO on.)
 *
 * KEYS: stream, mark. Answers {generation ('' if there is none), 1 if the stream is another one than owm added to}.
 */
import { prelude } from './prelude.js'

export const generation = `-- owm: generation
${prelude}
local found, failure = stream_at(KEYS[1])
if not found then return failure end
local kept = redis.call('HMGET', KEYS[2], 'generation', 'added', 'last')
return {kept[1] or '', is_another(found, kept[2], kept[3]) and 1 or 0}
`
