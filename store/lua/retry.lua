-- retry: send a run that failed for good again, as a new run.
-- KEYS[3] op (string)  KEYS[4] dead (list)  KEYS[5] removed (zset)  KEYS[6] stream (stream)
-- ARGV[5] op life, s  ARGV[6] body as it stands in dead  ARGV[7] body of the new run  ARGV[8] cause
-- Returns SENT | MISSING (not in dead) | REMOVED (its job was removed); a repeated op gets the answer
-- of the first.
local answer = redis.call('GET', KEYS[3])
if answer then return answer end
local m = parse(ARGV[7])
if m.uid ~= '' and redis.call('ZSCORE', KEYS[5], m.uid) then return 'REMOVED' end
if redis.call('LREM', KEYS[4], 1, ARGV[6]) == 0 then return 'MISSING' end
redis.call('XADD', KEYS[6], '*', 'm', ARGV[7])
local id, sched = first(m)
event('job_submitted', m.job, id, sched, m.attempt, node, '', ARGV[8])
publish()
redis.call('SET', KEYS[3], 'SENT', 'EX', ARGV[5])
return 'SENT'
