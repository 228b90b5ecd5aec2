-- rezone: give jobs the next times that the zone rules of this leader give them.
-- KEYS[4] run_times (zset)  KEYS[5] meta (hash)
-- ARGV[7] cause in the events  ARGV[8] '1' when with these every job follows the rules, else '0'
-- ARGV[9..] per job: id, header that was read, run time that was read, header to store, its run time
-- Returns {OK, tag, …} with OK | STALE per job, or {FENCED, …}; with a STALE one the rules do not count as
-- followed.
local reply, whole = {'OK'}, ARGV[8] == '1'
for at = 9, #ARGV, 5 do
  local id, old = ARGV[at], ARGV[at + 1]
  local score, value = redis.call('ZSCORE', KEYS[4], id), redis.call('HGET', KEYS[2], id)
  if score and value and tonumber(score) == tonumber(ARGV[at + 2]) and string.sub(value, 1, #old) == old then
    redis.call('HSET', KEYS[2], id, ARGV[at + 3] .. string.sub(value, #old + 1))
    redis.call('ZADD', KEYS[4], ARGV[at + 4], id)
    event('job_modified', id, '', '', '', node, ARGV[6], ARGV[7])
    reply[#reply + 1] = 'OK'
  else
    reply[#reply + 1] = 'STALE'
    whole = false
  end
end
if whole then redis.call('HDEL', KEYS[5], 'zones_before') end
publish()
return reply
