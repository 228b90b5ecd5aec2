-- follow: give jobs the next times that their calendars leave them.
-- KEYS[4] run_times (zset)  KEYS[5] calendars (hash)
-- ARGV[7] version of the calendars  ARGV[8] '1' when with these every job follows it, else '0'
-- ARGV[9..] per job: id, header that was read, run time that was read, header to store, its run time
-- Returns {CHANGED} when the calendars were, {FENCED, …}, or {OK, tag, …} with OK | STALE per job; with
-- a STALE one the version does not count as followed.
if redis.call('HGET', KEYS[5], 'version') ~= ARGV[7] then return {'CHANGED'} end
local reply, whole = {'OK'}, ARGV[8] == '1'
for at = 9, #ARGV, 5 do
  local id, old = ARGV[at], ARGV[at + 1]
  local score, value = redis.call('ZSCORE', KEYS[4], id), redis.call('HGET', KEYS[2], id)
  if value and score == ARGV[at + 2] and string.sub(value, 1, #old) == old then
    redis.call('HSET', KEYS[2], id, ARGV[at + 3] .. string.sub(value, #old + 1))
    redis.call('ZADD', KEYS[4], ARGV[at + 4], id)
    event('job_modified', id, '', '', '', node, ARGV[6], 'its calendars changed')
    reply[#reply + 1] = 'OK'
  else
    reply[#reply + 1] = 'STALE'
    whole = false
  end
end
if whole then redis.call('HSET', KEYS[5], 'applied', ARGV[7]) end
publish()
return reply
