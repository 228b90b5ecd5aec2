-- park: take a job that cannot be used out of the schedule, keeping its record byte for byte.
-- KEYS[4] run_times (zset)
-- ARGV[7] id  ARGV[8] score it was found with  ARGV[9] header that was read, or '' if unreadable
-- ARGV[10] header to store, or '' to leave the record alone  ARGV[11] reason
-- Returns {PARKED} | {STALE} | {FENCED, …}.
local score = redis.call('ZSCORE', KEYS[4], ARGV[7])
if not score or tonumber(score) ~= tonumber(ARGV[8]) then return {'STALE'} end
local value = redis.call('HGET', KEYS[2], ARGV[7])
if ARGV[9] ~= '' and (not value or string.sub(value, 1, #ARGV[9]) ~= ARGV[9]) then return {'STALE'} end
redis.call('ZREM', KEYS[4], ARGV[7])
if ARGV[9] ~= '' and ARGV[10] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[7], ARGV[10] .. string.sub(value, #ARGV[9] + 1))
end
event('job_parked', ARGV[7], '', '', '', node, ARGV[6], ARGV[11])
publish()
return {'PARKED'}
