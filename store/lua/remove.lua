-- remove: delete a job and cancel those of its runs that are in line; the uid stays known so that
-- runs still in streams and in backoff are cancelled when they are taken up.
-- KEYS[3] run_times (zset)  KEYS[4] op (string)  KEYS[5] history (list)  KEYS[6] removed (zset)
-- KEYS[7] waiting (set)  KEYS[8] waiting:<slot> (zset)  KEYS[9] waiting_runs:<slot> (hash)
-- KEYS[10] calendars (hash)  KEYS[11] calendar_jobs (hash)
-- ARGV[5] op life, s  ARGV[6] id  ARGV[7] slot  ARGV[8] uid, or '' for whichever there is
-- Returns the uid removed, or MISSING; a repeated op gets the answer of the first.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local value = redis.call('HGET', KEYS[2], ARGV[6])
if not value then return 'MISSING' end
local uid = string.match(value, '^%S+ (%S+)') or ''
if ARGV[8] ~= '' and ARGV[8] ~= uid then return 'MISSING' end
redis.call('HDEL', KEYS[2], ARGV[6])
redis.call('ZREM', KEYS[3], ARGV[6])
refer(KEYS[10], KEYS[11], ARGV[6], '')
if uid ~= '' then redis.call('ZADD', KEYS[6], now, uid) end
for _, id in ipairs(redis.call('ZRANGE', KEYS[8], 0, -1)) do
  local text = redis.call('HGET', KEYS[9], id)
  local m = text and parse(text)
  if m and uid ~= '' and m.uid == uid then
    redis.call('ZREM', KEYS[8], id)
    redis.call('HDEL', KEYS[9], id)
    skip(m, KEYS[5], 'cancelled', 'job_cancelled', 'job removed')
  end
end
if redis.call('EXISTS', KEYS[8]) == 0 then redis.call('SREM', KEYS[7], ARGV[7]) end
redis.call('EXPIRE', KEYS[5], ARGV[2])
event('job_removed', ARGV[6], '', '', '', node, '', 'removed')
publish()
redis.call('SET', KEYS[4], uid, 'EX', ARGV[5])
return uid
