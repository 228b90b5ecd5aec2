-- add: store a job whose id is free.
-- KEYS[3] run_times (zset)  KEYS[4] op (string)  KEYS[5] history (list)
-- ARGV[5] op life, s  ARGV[6] wake channel  ARGV[7] id  ARGV[8] header and record
-- ARGV[9] next run time, Unix ms, or '' to add it paused
-- KEYS[6] calendars (hash)  KEYS[7] calendar_jobs (hash)
-- ARGV[10] version of the calendars, or '' when it does not matter  ARGV[11] those it refers to, or ''
-- Returns ADDED | CONFLICT | CHANGED (the calendars were) | NO_CALENDAR name; a repeated op gets the
-- answer of the first two.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
if redis.call('HEXISTS', KEYS[2], ARGV[7]) == 1 then
  redis.call('SET', KEYS[4], 'CONFLICT', 'EX', ARGV[5])
  return 'CONFLICT'
end
local fault = lacking(KEYS[6], ARGV[10], ARGV[11])
if fault then return fault end
redis.call('HSET', KEYS[2], ARGV[7], ARGV[8])
redis.call('PERSIST', KEYS[5])
if ARGV[9] ~= '' then redis.call('ZADD', KEYS[3], ARGV[9], ARGV[7]) end
if ARGV[11] ~= '' then refer(KEYS[6], KEYS[7], ARGV[7], ARGV[11]) end
event('job_added', ARGV[7], '', '', '', node, '', '')
publish()
redis.call('SET', KEYS[4], 'ADDED', 'EX', ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[9])
return 'ADDED'
