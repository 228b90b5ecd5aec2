-- step_out: move the first in line for a slot to delayed when the node that was nudged cannot run its
-- task, no attempt counted.
-- KEYS[3] waiting (set)  KEYS[4] waiting:<slot> (zset)  KEYS[5] waiting_runs:<slot> (hash)
-- KEYS[6] delayed (zset)  KEYS[7] delayed_runs (hash)  KEYS[8] unserved (hash)  KEYS[9] removed (zset)
-- KEYS[10] history of its job (list)
-- ARGV[5] slot  ARGV[6] run expected first  ARGV[7] its message  ARGV[8] delay, ms  ARGV[9] mark, as of postpone
-- Returns OK | REMOVED (its job was: the run is closed) | CHANGED (another is first, or its message is another: look again).
local id = redis.call('ZRANGE', KEYS[4], 0, 0)[1]
if id ~= ARGV[6] or redis.call('HGET', KEYS[5], id) ~= ARGV[7] then return 'CHANGED' end
redis.call('ZREM', KEYS[4], id)
redis.call('HDEL', KEYS[5], id)
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('SREM', KEYS[3], ARGV[5]) end
local m = parse(ARGV[7])
if m.uid ~= '' and redis.call('ZSCORE', KEYS[9], m.uid) then
  skip(m, KEYS[10], 'cancelled', 'job_cancelled', 'job removed')
  publish()
  return 'REMOVED'
end
local pause = tonumber(ARGV[8])
if ARGV[9] ~= '' then
  pause = 1000
  redis.call('HSET', KEYS[8], id, stamp .. '\t' .. ms(pause) .. '\t' .. ARGV[9])
end
redis.call('ZADD', KEYS[6], ms(now + pause), id)
redis.call('HSET', KEYS[7], id, ARGV[7])
return 'OK'
