/**
 * The end of a check: removes what it wrote, and checks what else this user may do.
 *
 * KEYS: stream, fence, mark, slots, receipts, index of receipts. ARGV: as for rights. Answers the commands that a run
 * needs and this user may not give (Redis 7; none before that).
 */
import { forbiddenCommands } from './rights.js'

export const leave = `-- owm: leave
${forbiddenCommands}
-- A run needs no right to DEL: without it, remove the fields one by one.
for i = 2, 3 do
  if type(redis.pcall('DEL', KEYS[i])) == 'table' then
    local fields = redis.call('HGETALL', KEYS[i])
    for j = 1, #fields, 2 do redis.call('HDEL', KEYS[i], fields[j]) end
  end
end

return forbidden_commands() or {}
`
