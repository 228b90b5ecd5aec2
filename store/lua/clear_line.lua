-- clear_line: cancel the runs of a removed job that are in line, as many as one call may.
-- KEYS[3] removed (zset)  KEYS[4] waiting (set)  KEYS[5] waiting:<slot> (zset)
-- KEYS[6] waiting_runs:<slot> (hash)  KEYS[7] history (list)
-- ARGV[5] uid of the job  ARGV[6] slot  ARGV[7] how many of the last in line were looked at and stay
-- Returns that number as it is now, or DONE when all were looked at. A uid that is not removed has no runs
-- here that are to end: DONE.
if not redis.call('ZSCORE', KEYS[3], ARGV[5]) then return 'DONE' end
local stay, bytes, runs, gone = tonumber(ARGV[7]), 0, 0, {}
local ids = redis.call('ZRANGE', KEYS[5], -stay - 100, -stay - 1)
for i = #ids, 1, -1 do
  bytes = bytes + redis.call('HSTRLEN', KEYS[6], ids[i])
  if i < #ids and (bytes > 1048576 or runs > 1000) then break end
  local text = redis.call('HGET', KEYS[6], ids[i])
  local m = text and parse(text)
  if m and m.uid == ARGV[5] then
    gone[#gone + 1], m.id = m, ids[i]
    runs = runs + 1 + math.floor(#runsOf(m) / 65)
  else
    stay = stay + 1
  end
end
for i = #gone, 1, -1 do
  redis.call('ZREM', KEYS[5], gone[i].id)
  redis.call('HDEL', KEYS[6], gone[i].id)
  skip(gone[i], KEYS[7], 'cancelled', 'job_cancelled', 'job removed')
end
publish()
if redis.call('EXISTS', KEYS[5]) == 0 then redis.call('SREM', KEYS[4], ARGV[6]) end
return #ids > 0 and tostring(stay) or 'DONE'
