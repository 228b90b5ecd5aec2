-- finish_job: remove a job that has no time left when somebody resumes it, if nothing happened to it since
-- it was read. Runs of it that were dispatched before go on.
-- KEYS[3] run_times (zset)  KEYS[4] op (string)  KEYS[5] history (list)
-- KEYS[6] calendars (hash)  KEYS[7] calendar_jobs (hash)
-- ARGV[5] op life, s  ARGV[6] id  ARGV[7] header that was read  ARGV[8] why it ends
-- ARGV[9..] history rows
-- Returns FINISHED | CHANGED | MISSING; a repeated op gets the answer of the first.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local value = redis.call('HGET', KEYS[2], ARGV[6])
if not value then return 'MISSING' end
if string.sub(value, 1, #ARGV[7]) ~= ARGV[7] then return 'CHANGED' end
for i = 9, #ARGV do push(KEYS[5], ARGV[6], ARGV[i]) end
redis.call('HDEL', KEYS[2], ARGV[6])
redis.call('ZREM', KEYS[3], ARGV[6])
refer(KEYS[6], KEYS[7], ARGV[6], '')
redis.call('EXPIRE', KEYS[5], ARGV[2])
event('job_resumed', ARGV[6], '', '', '', node, '', ARGV[8])
event('job_removed', ARGV[6], '', '', '', node, '', 'finished')
publish()
redis.call('SET', KEYS[4], 'FINISHED', 'EX', ARGV[5])
return 'FINISHED'
