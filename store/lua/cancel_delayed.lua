-- cancel_delayed: close messages in delayed, each if it is still as it was read, once per op.
-- KEYS[3] op (string)  KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)  KEYS[6] unserved (hash)
-- then per message: history (list)
-- ARGV[5] op life, s  ARGV[6..] bodies
-- Returns how many runs were closed; a repeated op gets the answer of the first.
local answer = redis.call('GET', KEYS[3])
if answer then return answer end
local closed = 0
for i = 6, #ARGV do
  local m = parse(ARGV[i])
  local id = first(m)
  if redis.call('HGET', KEYS[5], id) == ARGV[i] then
    redis.call('ZREM', KEYS[4], id)
    redis.call('HDEL', KEYS[5], id)
    redis.call('HDEL', KEYS[6], id)
    skip(m, KEYS[i + 1], 'cancelled', 'job_cancelled', 'cancelled before it started')
    closed = closed + select(2, string.gsub(runsOf(m), '@%-?%d+@', ''))
  end
end
publish()
redis.call('SET', KEYS[3], ms(closed), 'EX', ARGV[5])
return ms(closed)
