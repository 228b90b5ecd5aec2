-- enqueue: put ad-hoc runs into a stream, or into delayed when they are due later, once per op.
-- KEYS[3] op (string)  KEYS[4] stream (stream)  KEYS[5] delayed (zset)  KEYS[6] delayed_runs (hash)
-- ARGV[5] op life, s  ARGV[6] answer to keep  ARGV[7] job that must exist, or ''  ARGV[8] its uid
-- ARGV[9] when they are due, ms, or '' for now  ARGV[10] cause  ARGV[11] wake channel
-- ARGV[12..] bodies
-- Returns the kept answer, or MISSING when the job is not there.
local answer = redis.call('GET', KEYS[3])
if answer then return answer end
if ARGV[7] ~= '' then
  local value = redis.call('HGET', KEYS[2], ARGV[7])
  if not value or string.match(value, '^%S+ (%S+)') ~= ARGV[8] then return 'MISSING' end
end
local later = ARGV[9] ~= '' and tonumber(ARGV[9]) > now
for i = 12, #ARGV do
  local m = parse(ARGV[i])
  if later then
    redis.call('ZADD', KEYS[5], ARGV[9], (first(m)))
    redis.call('HSET', KEYS[6], (first(m)), ARGV[i])
  else
    redis.call('XADD', KEYS[4], '*', 'm', ARGV[i])
  end
  for id, sched in string.gmatch(runsOf(m), '([^@,]+)@(%-?%d+)@') do
    event('job_submitted', m.job, id, sched, m.attempt, node, '', ARGV[10])
  end
end
redis.call('SET', KEYS[3], ARGV[6], 'EX', ARGV[5])
publish()
if later then redis.call('PUBLISH', ARGV[11], ARGV[9]) end
return ARGV[6]
