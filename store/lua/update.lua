-- update: replace a stored job if nothing happened to it since it was read.
-- KEYS[3] run_times (zset)  KEYS[4] op (string)  KEYS[5] history (list)
-- ARGV[5] op life, s  ARGV[6] wake channel  ARGV[7] id  ARGV[8] header that was read
-- ARGV[9] header and record  ARGV[10] next run time, Unix ms, or '' for none
-- ARGV[11] event kind  ARGV[12] cause  ARGV[13..] history rows
-- Returns UPDATED | CHANGED | MISSING; a repeated op gets the answer of the first.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local value = redis.call('HGET', KEYS[2], ARGV[7])
if not value then return 'MISSING' end
if string.sub(value, 1, #ARGV[8]) ~= ARGV[8] then return 'CHANGED' end
redis.call('HSET', KEYS[2], ARGV[7], ARGV[9])
if ARGV[10] == '' then
  redis.call('ZREM', KEYS[3], ARGV[7])
else
  redis.call('ZADD', KEYS[3], ARGV[10], ARGV[7])
end
for i = 13, #ARGV do push(KEYS[5], ARGV[7], ARGV[i]) end
event(ARGV[11], ARGV[7], '', '', '', node, '', ARGV[12])
publish()
redis.call('SET', KEYS[4], 'UPDATED', 'EX', ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[10])
return 'UPDATED'
