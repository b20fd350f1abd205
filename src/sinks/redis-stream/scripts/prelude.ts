/**
 * Lua that the scripts share. Each script is run by EVAL: it is atomic, and unlike MULTI it can decide.
 * Its first line names it, for SLOWLOG and MONITOR.
 *
 * The fence, a hash for each outbox:
 *
 *     epoch, word            the last attachment
 *     seq, task, run         the position: the last task taken; missing until it is placed
 *     placed, generation     under whose word the position was placed, and in which generation of the stream
 *     sink, added, last      the mark's values at that time: if the mark alone is gone, it is restored from here
 *     from:RUN, to:RUN       a run's first and last entry, until its receipt is written
 *
 * The mark, one hash for each stream:
 *
 *     id                     of this sink
 *     added, last            the stream's entries-added and its last entry when an owm last added to it
 *     generation             rises when the stream turns out to be another one
 *     at:OUTBOX-ID           a copy of that outbox's position, written together with the fence: if the fence alone is
 *                            gone, it is restored from here
 */
export const prelude = `
-- Whether entry id a comes after b.
local function after(a, b)
  local ams, aseq = string.match(a, '(%d+)-(%d+)')
  local bms, bseq = string.match(b, '(%d+)-(%d+)')
  if ams ~= bms then return tonumber(ams) > tonumber(bms) end
  return tonumber(aseq) > tonumber(bseq)
end

local position_of = {'seq', 'task', 'run', 'placed', 'generation'}

-- Writes an outbox's position, in both places. (Its values in the order of position_of.)
local function stand(fence, mark, outbox, values)
  local now = {}
  for i, name in ipairs(position_of) do
    now[2 * i - 1] = name
    now[2 * i] = values[i]
  end
  redis.call('HSET', fence, 'sink', redis.call('HGET', mark, 'id') or '', unpack(now))
  redis.call('HSET', mark, 'at:' .. outbox, cjson.encode(values))
end

-- If the mark alone is gone, restores what the fence knows of it. Whether it is the same stream, look() finds out.
local function restore_mark(mark, fence)
  if redis.call('HGET', mark, 'id') then return end
  local held = redis.call('HMGET', fence, 'sink', 'generation', 'added', 'last')
  -- guard: mark-restored
  if not held[1] or held[1] == '' then return end
  for i, name in ipairs({'id', 'generation', 'added', 'last'}) do
    if held[i] then redis.call('HSETNX', mark, name, held[i]) end
  end
end

-- An outbox's position: the values of position_of, the first of them false if it was never placed.
local function standing(fence, mark, outbox)
  local held = redis.call('HMGET', fence, unpack(position_of))
  if held[1] then return held end
  local kept = redis.call('HGET', mark, 'at:' .. outbox)
  if not kept then return held end
  -- guard: fence-restored
  local values = cjson.decode(kept)
  redis.call('HSET', fence, 'seq', values[1], 'task', values[2], 'run', values[3], 'placed', values[4],
    'generation', values[5])
  -- It is no longer known where the run's entries begin.
  if values[3] ~= '' then redis.call('HSETNX', fence, 'from:' .. values[3], '0-0') end
  return values
end

-- Whether the fence has a newer attachment, or a copy's with the same epoch.
local function superseded(held_epoch, held_word, epoch, word)
  local other = tonumber(held_epoch or 0)
  return other > epoch or (other == epoch and held_word ~= word)
end

-- The stream as it is now: its length, entries-added (Redis 7), first and last id, or an error reply.
local function stream_at(stream)
  local info = redis.pcall('XINFO', 'STREAM', stream)
  local missing = info.err and string.find(info.err, 'no such key')
  if info.err and not missing then return nil, info end
  local found = {length = 0, missing = missing}
  if missing then return found end
  for i = 1, #info, 2 do
    if info[i] == 'length' then found.length = info[i + 1] end
    if info[i] == 'entries-added' then found.added = info[i + 1] end
    if info[i] == 'last-generated-id' then found.last = info[i + 1] end
    if info[i] == 'first-entry' and info[i + 1] then found.first = info[i + 1][1] end
  end
  return found
end

-- Whether that is another stream than the one of which the mark kept these values: it is missing, or has had fewer
-- entries than it must have had: those that it had before, and all of its present ones if they are newer than those.
-- (Before Redis 7 only a missing stream is noticed.)
local function is_another(found, added, last)
  if not added then return false end
  local fewest = tonumber(added)
  if found.first and last and after(found.first, last) then fewest = fewest + found.length end
  return found.missing or (found.added and found.added < fewest)
end

-- The stream's length, entries-added, first and last id, and generation, which rises if it is another one; or an error
-- reply.
local function look(stream, mark, fence)
  restore_mark(mark, fence)
  local found, failure = stream_at(stream)
  if not found then return nil, failure end
  local kept = redis.call('HMGET', mark, 'added', 'generation', 'last', 'id')
  -- Microseconds since 1970: a mark that was deleted never comes back with a generation that it had.
  local now = redis.call('TIME')
  now = tonumber(now[1]) * 1000000 + tonumber(now[2])
  local generation = tonumber(kept[2] or 0)
  -- guard: mark-is-new
  if not kept[2] and not kept[4] then generation = now end
  -- guard: stream-looked-at
  if is_another(found, kept[1], kept[3]) then
    generation = math.max(generation + 1, now)
    redis.call('HDEL', mark, 'added', 'last')
    kept[1] = false
  end
  if generation ~= tonumber(kept[2] or 0) then
    redis.call('HSET', mark, 'generation', string.format('%d', generation))
  end
  -- guard: seen-is-kept
  if found.added and not kept[1] then
    redis.call('HSET', mark, 'added', string.format('%d', found.added), 'last', found.last)
  end
  return {length = found.length, added = found.added or 0, first = found.first, last = found.last,
    generation = generation, missing = found.missing}
end
`
