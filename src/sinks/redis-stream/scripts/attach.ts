/**
 * Notes who writes from now on; never moves the fence.
 *
 * KEYS: stream, fence, mark. ARGV: epoch, word, an id for the sink where it has none.
 * Answers {'attached' or 'superseded', sink id, 1 where it was given now, 1 where the stream's tasks are gone, and of
 * the fence before: seq, task, run, epoch, word}.
 */
import { prelude } from './prelude.js'

export const attach = `-- owm: attach
${prelude}
local epoch, word = tonumber(ARGV[1]), ARGV[2]
local seen, failure = look(KEYS[1], KEYS[3])
if not seen then return failure end
local created = redis.call('HSETNX', KEYS[3], 'id', ARGV[3])
local id = redis.call('HGET', KEYS[3], 'id')
local held = redis.call('HMGET', KEYS[2], 'seq', 'task', 'run', 'epoch', 'word', 'generation')
local fence = {held[1] or '', held[2] or '', held[3] or '', tonumber(held[4] or 0), held[5] or ''}
-- A fence of an older generation stands for tasks that are gone; one of an older owm has no generation.
local emptied = 0
if held[1] and held[1] ~= '0' then
  if held[6] and tonumber(held[6]) < seen.generation then emptied = 1 end
  if not held[6] and seen.missing then emptied = 1 end
end
if superseded(held[4], held[5], epoch, word) then return {'superseded', id, created, emptied, unpack(fence)} end
-- guard: epoch-attached
redis.call('HSET', KEYS[2], 'epoch', epoch, 'word', word)
return {'attached', id, created, emptied, unpack(fence)}
`
