-- postpone: move messages of an entry this node cannot run to delayed, no attempt counted, and
-- put the other messages of the entry back.
-- KEYS[3] stream (stream)  KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)
-- ARGV[5] group  ARGV[6] consumer  ARGV[7] entry id  ARGV[8] delay, ms  ARGV[9] messages to postpone
-- then the bodies to postpone, then those to put back
-- Returns OK | GONE when the entry is not in the own pending list.
if #redis.call('XPENDING', KEYS[3], ARGV[5], ARGV[7], ARGV[7], 1, ARGV[6]) == 0 then return 'GONE' end
local back = {}
for i = 10, #ARGV do
  if i < 10 + ARGV[9] then
    local id = first(parse(ARGV[i]))
    redis.call('ZADD', KEYS[4], ms(now + ARGV[8]), id)
    redis.call('HSET', KEYS[5], id, ARGV[i])
  else
    back[#back + 1] = 'm' .. (#back / 2 + 1)
    back[#back + 1] = ARGV[i]
  end
end
if #back > 0 then redis.call('XADD', KEYS[3], '*', unpack(back)) end
redis.call('XACK', KEYS[3], ARGV[5], ARGV[7])
redis.call('XDEL', KEYS[3], ARGV[7])
return 'OK'
