/**
 * Sets the fence, backwards too.
 *
 * KEYS: fence, mark. ARGV: epoch, word, seq, task, run. Answers {'placed'} or {'superseded'}.
 */
import { prelude } from './prelude.js'

export const place = `-- owm: place
${prelude}
local held = redis.call('HMGET', KEYS[1], 'epoch', 'word')
if superseded(held[1], held[2], tonumber(ARGV[1]), ARGV[2]) then return {'superseded'} end
local generation = redis.call('HGET', KEYS[2], 'generation') or 0
redis.call('HSET', KEYS[1], 'seq', ARGV[3], 'task', ARGV[4], 'run', ARGV[5], 'generation', generation)
return {'placed'}
`
