-- dispatch: advance due jobs and put their runs into the streams, all or nothing per job.
-- KEYS[4] paused (string)  KEYS[5] run_times (zset)  then keys that jobs point at: streams, histories
-- ARGV[7] jobs  then per job: id, header that was read, header to store or '' to finish the job,
--   next run time in ms, latest time dispatched in ms, index of its stream, index of its history,
--   how many bodies, how many rows, how many events, then bodies, rows and events
-- Returns {now, tag, tag, …} with OK | STALE | NOT_DUE per job, or {FENCED, …} | {PAUSED}.
if redis.call('EXISTS', KEYS[4]) == 1 then return {'PAUSED'} end
local jobs, at = {}, 8
for i = 1, tonumber(ARGV[7]) do
  local j = {id = ARGV[at], old = ARGV[at + 1], new = ARGV[at + 2], score = ARGV[at + 3],
    latest = tonumber(ARGV[at + 4]), stream = KEYS[tonumber(ARGV[at + 5])],
    history = KEYS[tonumber(ARGV[at + 6])], bodies = at + 10}
  j.rows = j.bodies + ARGV[at + 7]
  j.events = j.rows + ARGV[at + 8]
  j.stop = j.events + ARGV[at + 9]
  at = j.stop
  jobs[i] = j
end
local ids = {}
for i, j in ipairs(jobs) do ids[i] = j.id end
local scores = redis.call('ZMSCORE', KEYS[5], unpack(ids))
local values = redis.call('HMGET', KEYS[2], unpack(ids))
local reply = {ms(now)}
for i, j in ipairs(jobs) do
  local value, score = values[i], tonumber(scores[i] or '')
  if not value or not score or string.sub(value, 1, #j.old) ~= j.old then
    reply[i + 1] = 'STALE'
  elseif score > now or j.latest > now then
    reply[i + 1] = 'NOT_DUE'
  else
    reply[i + 1] = 'OK'
    j.value = value
  end
end
local set, times, gone = {}, {}, {}
for i, j in ipairs(jobs) do
  if j.value then
    for k = j.bodies, j.rows - 1 do redis.call('XADD', j.stream, '*', 'm', ARGV[k]) end
    for k = j.events, j.stop - 1 do log[#log + 1] = ARGV[k] end
    if j.new == '' then
      gone[#gone + 1] = j.id
      event('job_removed', j.id, '', '', '', node, ARGV[6], 'finished')
    else
      set[#set + 1], set[#set + 2] = j.id, j.new .. string.sub(j.value, #j.old + 1)
      times[#times + 1], times[#times + 2] = j.score, j.id
    end
    for k = j.rows, j.events - 1 do push(j.history, j.id, ARGV[k]) end
    if j.new == '' then redis.call('EXPIRE', j.history, ARGV[2]) end
  end
end
if #set > 0 then
  redis.call('HSET', KEYS[2], unpack(set))
  redis.call('ZADD', KEYS[5], unpack(times))
end
if #gone > 0 then
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[5], unpack(gone))
end
if #log > 0 then redis.call('HINCRBY', KEYS[3], 'seq', 1) end
publish()
return reply
