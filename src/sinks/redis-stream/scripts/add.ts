/**
 * Adds a batch after its predecessor and moves the fence with it; of a batch that is sent again, only what is missing.
 *
 * KEYS: stream, fence, mark, slots (slot -> its first and last entry, of those that are left). ARGV: bound, policy,
 * epoch, word, the predecessor's seq and task, the first seq, run, slot, the last task's id, outbox, then the tasks,
 * one per line, separated by commas.
 *
 * Answers {added, skipped, unread entries trimmed, 1 if a consumer group exists}, or {'superseded'}, or
 * {'changed', the fence's seq and task}, or {'full', entries that would be trimmed, the group that hasn't read them,
 * how many entries it hasn't read, 1 if they are of this batch's own slot}. If a task can't be added, the fence stays
 * at the one before it.
 *
 * A group's lag: https://redis.io/docs/latest/commands/xinfo-groups/
 */
import { prelude } from './prelude.js'

export const add = `-- owm: add
${prelude}
local stream, fence, mark, slots = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local bound, policy, epoch, word = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local after_seq, after_task, first = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local run, slot, last_task, outbox = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
-- JSON text has no raw line feed. (With a pattern instead of the plain search the script takes half as long again.)
local tasks, count, lines, start = {}, 0, ARGV[12], 1
while start <= #lines do
  local feed = string.find(lines, '\\n', start, true) or #lines + 2
  count = count + 1
  tasks[count] = string.sub(lines, start, feed - 2)
  start = feed + 1
end
local last = first + count - 1

local seen, failure = look(stream, mark, fence)
if not seen then return failure end
local held = redis.call('HMGET', fence, 'seq', 'task', 'epoch', 'word', 'placed', 'generation')
-- guard: epoch-checked
if superseded(held[3], held[4], epoch, word) then return {'superseded'} end
local seq = tonumber(held[1] or -1)
local task = held[2] or ''
local skip = 0
-- guard: chain-checked
local fits = held[1] and held[5] == word and tonumber(held[6] or 0) == seen.generation
if not fits then return {'changed', held[1] or '', task} end
if seq == after_seq and task == after_task then
  skip = 0
elseif seq > last or (seq == last and task == last_task) then
  -- guard: fence-skips
  skip = count
elseif seq >= first and cjson.decode(tasks[seq - first + 1]).task_id == task then
  skip = seq - first + 1
else
  return {'changed', held[1], task}
end
if skip == count then
  -- For a WAIT after this, which is about what its connection has written: nothing else is written here.
  redis.call('HSET', fence, 'epoch', epoch)
  return {0, skip, 0, 0}
end

local length = seen.length

-- Whether anything between two entries may be left in the stream.
local function is_there(from, to)
  -- guard: own-slot-gone
  return from and not after(seen.first, to) and not after(from, seen.last)
end

-- This slot's entries lie between these two, perhaps among others; nil if none of them is left.
local function own_entries()
  if length == 0 then return nil end
  local from, to = string.match(redis.call('HGET', slots, slot) or '', '^(%S+) ?(%S*)$')
  -- An older owm kept the first one alone: while it is there, all that follow may be the slot's.
  if to == '' then
    from = not after(seen.first, from) and from
    to = seen.last
  end
  if not is_there(from, to) then from = nil end
  -- The fence knows at least this run's: that key may have been deleted, and an older owm adds without moving its 'to'.
  local of_run = redis.call('HMGET', fence, 'from:' .. run, 'to:' .. run)
  if of_run[1] and (not from or (of_run[2] and after(of_run[2], to))) then
    from, to = from or of_run[1], of_run[2] or seen.last
  end
  if is_there(from, to) then return from, to end
end
local own_first, own_last = own_entries()

local victims, read, lag, group = {}, nil, nil, nil
local over = length + count - skip - bound
-- Whether others have added since this slot's last entry.
local is_behind = own_last and after(seen.last, own_last)
if length > 0 and (over > 0 or is_behind) then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local said = {}
    for i = 1, #info, 2 do said[info[i]] = info[i + 1] end
    local id = said['last-delivered-id']
    if not read or after(read, id) then read, lag, group = id, said['lag'], said['name'] end
  end
end
-- Nothing is left to protect of a slot that was read whole: what it adds now begins again, behind the others' entries.
if own_last and read and not after(own_last, read) then own_first, own_last = nil, nil end

-- If the slowest group's lag is known (Redis 7), it may show that all of them were read: to read them here takes
-- longer than to add a batch.
if length > 0 and over > 0 and not (read and lag and over <= length - lag) then
  victims = redis.call('XRANGE', stream, '-', '+', 'COUNT', over)
  -- The last one is the newest: if any is unread, it is. Without a group, all count as unread.
  local newest = victims[#victims][1]
  local unread = not read or after(newest, read)
  local own = unread and own_first and not after(own_first, newest)
  -- guard: own-slot-kept
  if own or (policy == 'hold' and unread) then
    -- Redis' lag counts entries, too, that were trimmed before the group read them.
    local behind = length
    for _, victim in ipairs(victims) do
      if not read or after(victim[1], read) then break end
      behind = behind - 1
    end
    return {'full', over, group or '', behind, own and 1 or 0}
  end
end

-- Redis doesn't roll back: if this user may no longer move the fence, fail before anything is added.
-- guard: fence-may-move
local moves = redis.pcall('HSET', fence, 'epoch', epoch)
if type(moves) == 'table' then return moves end
-- For speed, the bound is text and all names are local: each call would format a number and look up a global.
local xadd, type, maxlen = redis.pcall, type, ARGV[1]
local from, to = nil, nil
local added = 0
for i = skip + 1, count do
  local id = xadd('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'data', tasks[i])
  if type(id) == 'table' then
    failure = id
    break
  end
  from = from or id
  to = id
  added = added + 1
end
if added > 0 then
  local reached = skip + added
  local reached_task = last_task
  if reached < count then reached_task = cjson.decode(tasks[reached]).task_id end
  -- guard: fence-moves
  stand(fence, mark, outbox, {string.format('%d', first + reached - 1), reached_task, run, word, held[6]})
  local had = {'added', string.format('%d', seen.added + added), 'last', to}
  redis.call('HSET', fence, 'to:' .. run, to, unpack(had))
  redis.call('HSETNX', fence, 'from:' .. run, from)
  redis.call('HSET', mark, unpack(had))
  -- Others' entries that lie between them count as the slot's, too, until its last one is read or gone.
  redis.call('HSET', slots, slot, (own_first or from) .. ' ' .. to)
end
if failure then return failure end

-- Slots whose last entry was trimmed have nothing left to protect. (An older owm noted the first one alone.)
if redis.call('HLEN', slots) > 100 then
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1]
  local all = redis.call('HGETALL', slots)
  for i = 1, #all, 2 do
    if after(oldest, string.match(all[i + 1], '%S+$')) and all[i] ~= slot then redis.call('HDEL', slots, all[i]) end
  end
end

-- Redis trims whole nodes only, so fewer entries than the bound asked for.
local gone = length + added - redis.call('XLEN', stream)
local unread = 0
for i = math.min(gone, #victims), 1, -1 do
  if read and not after(victims[i][1], read) then break end
  unread = unread + 1
end
return {added, skip, unread, read and 1 or 0}
`
