-- backfill: put runs of past times of a job into its stream, each at most once within a life.
-- KEYS[3] stream (stream)  KEYS[4..] op:<run id> (string), one per run, in order
-- ARGV[5] life, s  ARGV[6] job that must exist  ARGV[7] its uid  ARGV[8] cause  ARGV[9..] bodies
-- Returns OK | MISSING when the job is not there. A run that is remembered is left out, so that a
-- repeat, of all or of a part, sends none twice.
local value = redis.call('HGET', KEYS[2], ARGV[6])
if not value or string.match(value, '^%S+ (%S+)') ~= ARGV[7] then return 'MISSING' end
local key = 3
for i = 9, #ARGV do
  local m, fresh = parse(ARGV[i]), {}
  for run in string.gmatch(runsOf(m), '[^,]+') do
    key = key + 1
    if redis.call('SET', KEYS[key], 'SENT', 'NX', 'EX', ARGV[5]) then
      local id, sched = string.match(run, '^([^@]+)@(%-?%d+)@')
      fresh[#fresh + 1] = run
      event('job_submitted', m.job, id, sched, m.attempt, node, '', ARGV[8])
    end
  end
  if #fresh > 0 then
    keepRuns(m, table.concat(fresh, ','))
    redis.call('XADD', KEYS[3], '*', 'm', m.text)
  end
end
publish()
return 'OK'
