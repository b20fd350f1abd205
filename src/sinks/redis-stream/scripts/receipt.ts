/**
 * Writes or rewrites a slot's receipt.
 *
 * KEYS: stream, fence, mark, receipts (hash, `SLOT SHARD/SHARDS` -> JSON), index (sorted set of its fields, by time).
 * ARGV: epoch, word, the seq that the fence must have reached, field, time in milliseconds, fields to keep, the
 * receipt as JSON without its last brace, then the ids of the slot's runs.
 *
 * Answers {'written'}, {'superseded'} or {'changed', the fence's seq}.
 */
import { prelude } from './prelude.js'

export const receipt = `-- owm: receipt
${prelude}
local stream, fence, mark, receipts, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local field, json = ARGV[4], ARGV[7]
local seen, failure = look(stream, mark, fence)
if not seen then return failure end
local held = redis.call('HMGET', fence, 'seq', 'epoch', 'word', 'placed', 'generation')
if superseded(held[2], held[3], tonumber(ARGV[1]), ARGV[2]) then return {'superseded'} end
-- guard: receipt-stands
local stands = held[4] == ARGV[2] and tonumber(held[5] or 0) == seen.generation
  and tonumber(held[1] or -1) >= tonumber(ARGV[3])
if not stands then return {'changed', held[1] or ''} end

-- Includes the entries of an earlier receipt of the slot, to which a retry adds.
local first, last = nil, nil
local function reach(from, to)
  if type(from) == 'string' and (not first or after(first, from)) then first = from end
  if type(to) == 'string' and (not last or after(to, last)) then last = to end
end
local known = redis.call('HGET', receipts, field)
if known then
  known = cjson.decode(known)
  reach(known.firstEntry, known.lastEntry)
end
for i = 8, #ARGV do
  local from, to = 'from:' .. ARGV[i], 'to:' .. ARGV[i]
  local entries = redis.call('HMGET', fence, from, to)
  reach(entries[1], entries[2])
  redis.call('HDEL', fence, from, to)
end
-- A fence that was deleted or taken over knows less; the slot's entries are between these in any case.
if tonumber(ARGV[3]) > 0 then
  first = first or '0-0'
  last = last or seen.last
end
local function quoted(id) return id and ('"' .. id .. '"') or 'null' end
redis.call('HSET', receipts, field, json .. ',"firstEntry":' .. quoted(first) .. ',"lastEntry":' .. quoted(last)
  .. string.format(',"generation":%d}', seen.generation))
redis.call('ZADD', index, ARGV[5], field)

local over = redis.call('ZCARD', index) - tonumber(ARGV[6])
if over > 0 then
  for _, old in ipairs(redis.call('ZRANGE', index, 0, over - 1)) do
    redis.call('HDEL', receipts, old)
    redis.call('ZREM', index, old)
  end
end
return {'written'}
`
