-- pause: pause or resume the schedule times of one partition.
-- KEYS[3] paused (string)
-- ARGV[5] wake channel  ARGV[6] '1' to pause, '0' to resume  ARGV[7] reason
-- Returns CHANGED | SAME. Saying it twice is saying it once.
local is = redis.call('EXISTS', KEYS[3])
if is == tonumber(ARGV[6]) then return 'SAME' end
if is == 0 then
  redis.call('SET', KEYS[3], ms(now) .. '\t' .. ARGV[7])
  event('scheduler_paused', '', '', '', '', node, '', ARGV[7])
else
  redis.call('DEL', KEYS[3])
  event('scheduler_resumed', '', '', '', '', node, '', ARGV[7])
end
publish()
redis.call('PUBLISH', ARGV[5], '')
return 'CHANGED'
