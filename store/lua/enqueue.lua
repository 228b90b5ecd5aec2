-- enqueue: put ad-hoc runs into a stream, once per op.
-- KEYS[3] op (string)  KEYS[4] stream (stream)
-- ARGV[5] op life, s  ARGV[6] answer to keep  ARGV[7] job that must exist, or ''  ARGV[8] its uid
-- ARGV[9..] bodies
-- Returns the kept answer, or MISSING when the job is not there.
local answer = redis.call('GET', KEYS[3])
if answer then return answer end
if ARGV[7] ~= '' then
  local value = redis.call('HGET', KEYS[2], ARGV[7])
  if not value or string.match(value, '^%S+ (%S+)') ~= ARGV[8] then return 'MISSING' end
end
for i = 9, #ARGV do
  local m = parse(ARGV[i])
  redis.call('XADD', KEYS[4], '*', 'm', ARGV[i])
  for id, sched in string.gmatch(m.runs, '([^@,]+)@(%-?%d+)@') do
    event('job_submitted', m.job, id, sched, m.attempt, node, '', 'enqueued')
  end
end
redis.call('SET', KEYS[3], ARGV[6], 'EX', ARGV[5])
publish()
return ARGV[6]
