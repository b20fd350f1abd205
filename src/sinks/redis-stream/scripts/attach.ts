/**
 * Records who writes from now on; never moves the fence.
 *
 * KEYS: stream, fence, mark, and the fence under the id that a copy had before (else the fence again).
 * ARGV: outbox, epoch, word, an id for the sink if it has none, the id that a copy had before (else '').
 *
 * Answers {'attached' or 'superseded', sink id, 1 if it is new, the stream's generation, the epoch and word that were
 * attached before, and then for the fence and for the one before: seq ('' if it was never placed), task, run, the word
 * under which it was placed ('' by an older owm), 1 if its tasks are gone}. If a fence or the mark holds what owm never
 * writes, the answer is an error, DAMAGED.
 */
import { prelude } from './prelude.js'

export const attach = `-- owm: attach
${prelude}
-- A field of a fence or the mark that isn't as owm writes it, or nil. (No number has more than 16 digits.)
local function strange_field(key, outbox)
  local names = {'seq', 'epoch', 'generation', 'added', 'last', 'at:' .. outbox}
  local number = '^' .. string.rep('%d?', 15) .. '%d$'
  local shapes = {number, number, number, number, '^%d+%-%d+$', '^%[.*%]$'}
  for i, value in ipairs(redis.call('HMGET', key, unpack(names))) do
    if value and not string.match(value, shapes[i]) then return names[i] end
  end
end

local stream, fence, mark, former_fence = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox, epoch, word, former = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[5]
for _, key in ipairs({fence, mark, former_fence}) do
  local strange = strange_field(key, outbox)
  if strange then return redis.error_reply('DAMAGED the hash ' .. key .. ' holds a strange ' .. strange) end
end
local seen, failure = look(stream, mark, fence)
if not seen then return failure end
local created = redis.call('HSETNX', mark, 'id', ARGV[4])
local id = redis.call('HGET', mark, 'id')
local held = redis.call('HMGET', fence, 'epoch', 'word')
local answer = {'attached', id, created, seen.generation, tonumber(held[1] or 0), held[2] or ''}

local function tell(key, name)
  local at = standing(key, mark, name)
  -- The tasks of an older generation are gone. (An older owm wrote no generation.)
  local emptied = 0
  if at[1] and at[1] ~= '0' then
    if at[5] and tonumber(at[5]) < seen.generation then emptied = 1 end
    if not at[5] and seen.missing then emptied = 1 end
  end
  for _, value in ipairs({at[1] or '', at[2] or '', at[3] or '', at[4] or '', emptied}) do
    answer[#answer + 1] = value
  end
end
tell(fence, outbox)
if former ~= '' then tell(former_fence, former) end

if superseded(held[1], held[2], epoch, word) then
  answer[1] = 'superseded'
  return answer
end
-- guard: epoch-attached
redis.call('HSET', fence, 'epoch', epoch, 'word', word)
return answer
`
