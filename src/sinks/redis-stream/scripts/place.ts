/**
 * Sets the fence, backwards too, if the attachment and the stream are still those for which that was decided.
 *
 * KEYS: stream, fence, mark. ARGV: outbox, epoch, word, the stream's generation as attach answered it, an entry that
 * must still be there ('' for none), seq, task, run.
 *
 * Answers {'placed'}, {'superseded'} or {'changed'}.
 */
import { prelude } from './prelude.js'

export const place = `-- owm: place
${prelude}
local stream, fence, mark = KEYS[1], KEYS[2], KEYS[3]
local outbox, epoch, word, generation, entry = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local seen, failure = look(stream, mark, fence)
if not seen then return failure end
local held = redis.call('HMGET', fence, 'epoch', 'word')
if superseded(held[1], held[2], epoch, word) then return {'superseded'} end
-- A failover has undone the attachment: the decision may no longer hold.
-- guard: place-attached
if tonumber(held[1] or 0) ~= epoch then return {'changed'} end
-- guard: place-generation
if seen.generation ~= generation then return {'changed'} end
-- guard: place-entry
if entry ~= '' and #redis.call('XRANGE', stream, entry, entry) == 0 then return {'changed'} end
-- Of a copy: the run's entries under another id come before those that it will add.
if ARGV[8] ~= '' and not redis.call('HGET', fence, 'seq') then
  redis.call('HSETNX', fence, 'from:' .. ARGV[8], '0-0')
end
stand(fence, mark, outbox, {ARGV[6], ARGV[7], ARGV[8], word, ARGV[4]})
return {'placed'}
`
