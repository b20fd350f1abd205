/**
 * The end of a check: removes what it wrote, and asks what else this user may do.
 *
 * KEYS: stream, fence, mark, slots, receipts, index of receipts. Answers the commands that a run needs and this user
 * may not give (Redis 7; none before that).
 */
export const leave = `-- owm: leave
-- A run needs no right to DEL: without it the fields go, one by one.
for i = 2, 3 do
  if type(redis.pcall('DEL', KEYS[i])) == 'table' then
    local fields = redis.call('HGETALL', KEYS[i])
    for j = 1, #fields, 2 do redis.call('HDEL', KEYS[i], fields[j]) end
  end
end

local stream, slots, receipts, index = KEYS[1], KEYS[4], KEYS[5], KEYS[6]
local needed = {
  {'XADD', stream, 'MAXLEN', '~', '1', '*', 'data', ''}, {'XLEN', stream}, {'XRANGE', stream, '-', '+'},
  {'XREVRANGE', stream, '+', '-'}, {'XINFO', 'GROUPS', stream},
  {'HSETNX', slots, '', ''}, {'HGET', slots, ''}, {'HLEN', slots}, {'HGETALL', slots}, {'HDEL', slots, ''},
  {'HSET', receipts, '', ''}, {'HDEL', receipts, ''}, {'HMGET', receipts, ''},
  {'ZADD', index, '0', ''}, {'ZCARD', index}, {'ZRANGE', index, '0', '0'}, {'ZREM', index, ''},
}
local forbidden = {}
for _, command in ipairs(needed) do
  if redis.acl_check_cmd and not redis.acl_check_cmd(unpack(command)) then
    forbidden[#forbidden + 1] = command[1] .. ' ' .. (command[1] == 'XINFO' and command[3] or command[2])
  end
end
return forbidden
`
