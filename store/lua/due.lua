-- due: what the leader has to do now, and when it has to look again. Reads only.
-- KEYS[1] run_times (zset)  KEYS[2] delayed (zset)  KEYS[3] leases (zset)  KEYS[4] paused (string)
-- KEYS[5] calendars (hash)  KEYS[6] meta (hash)  KEYS[7] fence (hash)
-- ARGV[1] how many jobs at most  ARGV[2] store uid
-- Returns {now, paused, next run time, next delayed, next lease, version of the calendars, version
-- that jobs follow, dispatch sequence, id, score, id, score, …}; a time, version or sequence is '' when
-- there is none; or {LOST, uid} when the partition was emptied or replaced.
local uid = redis.call('HGET', KEYS[6], 'uid')
if uid ~= ARGV[2] then return {'LOST', uid or ''} end
local T = redis.call('TIME')
local now = T[1] * 1000 + math.floor(T[2] / 1000)
local function at(n) return string.format('%.0f', n) end
-- time makes a score a time, also one that is none: it is due at once, or never.
local function time(score)
  local n = score == 'inf' and 2^53 or score == '-inf' and -2^53 or tonumber(score)
  n = math.max(-2^53, math.min(math.floor(n), 2^53))
  return at(n == 0 and 0 or n)
end
local paused = redis.call('EXISTS', KEYS[4])
local function lowest(key)
  local head = redis.pcall('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head.err or head[2] and time(head[2]) or '' -- a key of another type concerns what it holds
end
local reply = {at(now), tostring(paused), lowest(KEYS[1]), lowest(KEYS[2]), lowest(KEYS[3])}
local calendars = redis.call('HMGET', KEYS[5], 'version', 'applied')
reply[6], reply[7] = calendars[1] or '', calendars[2] or ''
reply[8] = redis.call('HGET', KEYS[7], 'seq') or ''
if paused == 1 then
  reply[3] = ''
  return reply
end
for i, part in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at(now), 'WITHSCORES', 'LIMIT', 0, ARGV[1])) do
  reply[8 + i] = part
end
return reply
