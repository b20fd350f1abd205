/**
 * Lua that the scripts share. Each script is run by EVAL: it is atomic, and unlike MULTI it can decide.
 * Its first line says which it is, for whoever reads the server's SLOWLOG or MONITOR.
 *
 * The fence, a hash a outbox: `seq`, `task` and `run` of the last task taken (`seq` is missing until it is placed),
 * `epoch` and `word` of the newest attachment, `generation` of the stream in which it was placed, and for each run
 * whose receipt isn't written yet `from:RUN` and `to:RUN`, its first and last entry.
 *
 * The mark, one hash a stream: `id` of this sink, `added`, the stream's entries-added when one of us last looked, and
 * `generation`, which rises when the stream turns out to be another one.
 */
export const prelude = `
-- Whether a newer attachment, or a copy's with the same epoch, stands in the fence.
local function superseded(held_epoch, held_word, epoch, word)
  local other = tonumber(held_epoch or 0)
  return other > epoch or (other == epoch and held_word ~= word)
end

-- The stream's length, entries-added and generation, or an error reply. A stream that is gone, or that has had fewer
-- entries than it had before, is another one. (entries-added: Redis 7; before that only a missing stream is noticed.)
local function look(stream, mark)
  local info = redis.pcall('XINFO', 'STREAM', stream)
  local missing = info.err and string.find(info.err, 'no such key')
  if info.err and not missing then return nil, info end
  local length, added = 0, 0
  if not missing then
    for i = 1, #info, 2 do
      if info[i] == 'length' then length = info[i + 1] end
      if info[i] == 'entries-added' then added = info[i + 1] end
    end
  end
  local kept = redis.call('HMGET', mark, 'added', 'generation')
  local generation = tonumber(kept[2] or 0)
  if kept[1] and (missing or added < tonumber(kept[1])) then
    generation = generation + 1
    redis.call('HSET', mark, 'generation', generation)
    redis.call('HDEL', mark, 'added')
  end
  return {length = length, added = added, generation = generation, missing = missing}
end

-- Whether entry id a comes after b.
local function after(a, b)
  local ams, aseq = string.match(a, '(%d+)-(%d+)')
  local bms, bseq = string.match(b, '(%d+)-(%d+)')
  if ams ~= bms then return tonumber(ams) > tonumber(bms) end
  return tonumber(aseq) > tonumber(bseq)
end
`
