-- dispatch: advance due jobs and put their runs into the streams, all or nothing per job.
-- KEYS[4] paused (string)  KEYS[5] run_times (zset)  KEYS[6] calendars (hash)
-- KEYS[7] calendar_jobs (hash)  then keys that jobs point at: streams, histories
-- ARGV[7] jobs  ARGV[8] how many bodies, of whichever jobs, may share an entry of a stream (m1, m2, …)
-- then per job: id, header that was read, header to store or '' to finish the job, next run time in ms,
--   latest time dispatched in ms, index of its stream, index of its history (0 if there are no rows and
--   the job goes on), version of the calendars it was decided with or '' if it refers to none, rows,
--   events (each one text, with a newline between two), how many bodies, then the bodies
-- Returns {now, tag, tag, …} with OK | STALE | NOT_DUE per job, then the sequence if it grew, or
-- {FENCED, …} | {PAUSED}.
if redis.call('EXISTS', KEYS[4]) == 1 then return {'PAUSED'} end
local jobs, ids, at = {}, {}, 9
for i = 1, tonumber(ARGV[7]) do
  jobs[i], ids[i] = at, ARGV[at]
  at = at + 11 + ARGV[at + 10]
end
local scores = redis.call('ZMSCORE', KEYS[5], unpack(ids))
local values = redis.call('HMGET', KEYS[2], unpack(ids))
local reply, set, times, gone = {stamp}, {}, {}, {}
local share, packs = 2 * ARGV[8], {}
local function add(stream, body)
  local pack = packs[stream] or {}
  local n = #pack
  pack[n + 1], pack[n + 2], packs[stream] = 'm' .. (n / 2 + 1), body, pack
  if n + 2 >= share then
    redis.call('XADD', stream, '*', unpack(pack))
    packs[stream] = nil
  end
end
local version -- read for the first job that refers to calendars; the others pay nothing
for i, at in ipairs(jobs) do
  local old, value, score, tag, by = ARGV[at + 1], values[i], tonumber(scores[i] or ''), 'OK', ARGV[at + 7]
  if by ~= '' then version = version or redis.call('HGET', KEYS[6], 'version') or '0' end
  if not value or not score or string.sub(value, 1, #old) ~= old
    or (by ~= '' and by ~= version) then
    tag = 'STALE'
  elseif score > now or tonumber(ARGV[at + 4]) > now then
    tag = 'NOT_DUE'
  end
  reply[i + 1] = tag
  if tag == 'OK' then
    local new, stream, history, rows, events = ARGV[at + 2], KEYS[tonumber(ARGV[at + 5])], KEYS[tonumber(ARGV[at + 6])], ARGV[at + 8], ARGV[at + 9]
    for k = at + 11, at + 10 + ARGV[at + 10] do add(stream, ARGV[k]) end
    if events ~= '' then log[#log + 1] = events end
    if new == '' then
      gone[#gone + 1] = ids[i]
      if by ~= '' then refer(KEYS[6], KEYS[7], ids[i], '') end
    else
      set[#set + 1], set[#set + 2] = ids[i], new .. string.sub(value, #old + 1)
      times[#times + 1], times[#times + 2] = ARGV[at + 3], ids[i]
    end
    for row in string.gmatch(rows, '[^\n]+') do push(history, ids[i], row) end
    if new == '' then redis.call('EXPIRE', history, ARGV[2]) end
  end
end
for stream, pack in pairs(packs) do redis.call('XADD', stream, '*', unpack(pack)) end
if #set > 0 then
  redis.call('HSET', KEYS[2], unpack(set))
  redis.call('ZADD', KEYS[5], unpack(times))
end
if #gone > 0 then
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[5], unpack(gone))
end
if #log > 0 then reply[#reply + 1] = string.format('%.0f', redis.call('HINCRBY', KEYS[3], 'seq', 1)) end
publish()
return reply
