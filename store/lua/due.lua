-- due: what the leader has to do now, and when it has to look again. Reads only.
-- KEYS[1] run_times (zset)  KEYS[2] delayed (zset)  KEYS[3] leases (zset)  KEYS[4] paused (string)
-- ARGV[1] how many jobs at most
-- Returns {now, paused, next run time, next delayed, next lease, id, score, id, score, …}; a time is ''
-- when there is none.
local T = redis.call('TIME')
local now = T[1] * 1000 + math.floor(T[2] / 1000)
local function at(n) return string.format('%.0f', n) end
local paused = redis.call('EXISTS', KEYS[4])
local function lowest(key)
  local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head[2] and at(tonumber(head[2])) or ''
end
local reply = {at(now), tostring(paused), lowest(KEYS[1]), lowest(KEYS[2]), lowest(KEYS[3])}
if paused == 1 then
  reply[3] = ''
  return reply
end
for i, part in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at(now), 'WITHSCORES', 'LIMIT', 0, ARGV[1])) do
  reply[5 + i] = part
end
return reply
