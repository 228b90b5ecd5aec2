-- retry: send a run that failed for good again, as a new run.
-- KEYS[3] op (string)  KEYS[4] dead (list)  KEYS[5] removed (zset)  KEYS[6] stream (stream)
-- KEYS[7] slots:<slot> (string)  KEYS[8] waiting:<slot> (zset)  KEYS[9] waiting_runs:<slot> (hash)
-- KEYS[10] waiting (set)  KEYS[11] removed_dead (set)
-- ARGV[5] op life, s  ARGV[6] body as it stands in dead  ARGV[7] body of the new run  ARGV[8] cause
-- ARGV[9] '1': the new run joins the line for its slot even when the slot is free, because runs in the
--   stream may fill the line before it
-- Returns SENT | MISSING (not in dead) | REMOVED (its job was removed) | FULL (the line for its slot
-- has 1,000 runs; the run stays dead); a repeated op gets the answer of the first.
local answer = redis.call('GET', KEYS[3])
if answer then return answer end
local m = parse(ARGV[7])
if m.uid ~= '' and (redis.call('ZSCORE', KEYS[5], m.uid) or redis.call('SISMEMBER', KEYS[11], m.uid) == 1) then return 'REMOVED' end
local line = m.max > 0 and redis.call('ZCARD', KEYS[8]) or 0
local room = m.max == 0 or tonumber(redis.call('GET', KEYS[7]) or '0') < m.max
if line >= 1000 then return 'FULL' end
if redis.call('LREM', KEYS[4], 1, ARGV[6]) == 0 then return 'MISSING' end
local id, sched, due = first(m)
if m.max > 0 and (line > 0 or not room or ARGV[9] == '1') then
  redis.call('ZADD', KEYS[8], due, id)
  redis.call('HSET', KEYS[9], id, ARGV[7])
  redis.call('SADD', KEYS[10], m.slot)
  if room then redis.call('XADD', KEYS[6], '*', 'm', 'N\t' .. m.slot) end
else
  redis.call('XADD', KEYS[6], '*', 'm', ARGV[7])
end
event('job_submitted', m.job, id, sched, m.attempt, node, '', ARGV[8])
publish()
redis.call('SET', KEYS[3], 'SENT', 'EX', ARGV[5])
return 'SENT'
