import type { Settings } from '../options.js'

/**
 * The commands that owm needs and this user may not give. Reads only; false for Redis before 7, which can't tell.
 *
 * KEYS: stream, fence, mark, slots, receipts, index of receipts (`allKeys`). ARGV: other commands that are needed, each
 * of which takes two numbers. Answers the commands, each with its key, or false.
 */
export const forbiddenCommands = `
local function forbidden_commands()
  if not redis.acl_check_cmd then return false end
  local stream, fence, mark, slots, receipts, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
  local needed = {
    {'PING'}, {'TIME'}, {'EVAL', '', '1', stream},
    {'XADD', stream, 'MAXLEN', '~', '1', '*', 'data', ''}, {'XLEN', stream}, {'XRANGE', stream, '-', '+'},
    {'XREVRANGE', stream, '+', '-'}, {'XINFO', 'STREAM', stream}, {'XINFO', 'GROUPS', stream},
    {'HSET', slots, '', ''}, {'HGET', slots, ''}, {'HLEN', slots}, {'HGETALL', slots}, {'HDEL', slots, ''},
    {'HSET', receipts, '', ''}, {'HGET', receipts, ''}, {'HDEL', receipts, ''}, {'HMGET', receipts, ''},
    {'ZADD', index, '0', ''}, {'ZCARD', index}, {'ZRANGE', index, '0', '0'}, {'ZREM', index, ''},
    {'ZREVRANGE', index, '0', '0'}, {'ZRANGEBYSCORE', index, '0', '0'},
  }
  for _, key in ipairs({fence, mark}) do
    for _, command in ipairs({'HGET', 'HMGET', 'HDEL'}) do needed[#needed + 1] = {command, key, ''} end
    for _, command in ipairs({'HSET', 'HSETNX'}) do needed[#needed + 1] = {command, key, '', ''} end
  end
  for _, command in ipairs(ARGV) do needed[#needed + 1] = {command, '1', '1'} end
  local forbidden = {}
  for _, command in ipairs(needed) do
    -- A command that is renamed away is unknown, which is an error.
    local known, may = pcall(redis.acl_check_cmd, unpack(command))
    if not (known and may) then
      local what = command[1] == 'XINFO' and {'XINFO ' .. command[2], command[3]} or command
      forbidden[#forbidden + 1] = what[1] .. (what[2] and what[2] ~= '' and ' ' .. what[2] or '')
    end
  end
  return forbidden
end
`

/** Commands that are needed for some settings only. */
export const otherCommands = ({ durability }: Settings): string[] => (durability ? ['WAIT'] : [])

export const rights = `-- owm: rights
${forbiddenCommands}
return forbidden_commands()
`
