-- park: take a job that cannot be used out of the schedule, keeping its record byte for byte.
-- KEYS[4] run_times (zset)
-- ARGV[7] id  ARGV[8] run time that was read, as Redis printed it
-- ARGV[9] header that was read, or '' if none could be  ARGV[10] header to store, or ''  ARGV[11] reason
-- ARGV[12] SHA1 of the value whose header could not be read, or '' if there was no value
-- Returns {PARKED} | {STALE} when the job is not as it was read | {FENCED, …}. An id may have been removed
-- and added again since, even with the same run time.
local id, old, new = ARGV[7], ARGV[9], ARGV[10]
local score, value = redis.call('ZSCORE', KEYS[4], id), redis.call('HGET', KEYS[2], id)
if not score and value and new ~= '' and string.sub(value, 1, #new) == new then return {'PARKED'} end -- resent
if score ~= ARGV[8] then return {'STALE'} end
local same = not value
if old ~= '' then
  same = value and string.sub(value, 1, #old) == old
elseif ARGV[12] ~= '' then
  same = value and redis.sha1hex(value) == ARGV[12]
end
if not same then return {'STALE'} end
redis.call('ZREM', KEYS[4], id)
if new ~= '' then redis.call('HSET', KEYS[2], id, new .. string.sub(value, #old + 1)) end
event('job_parked', id, '', '', '', node, ARGV[6], ARGV[11])
publish()
return {'PARKED'}
