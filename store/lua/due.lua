-- due: what the leader has to do now, and when it has to look again. Reads only.
-- KEYS[1] run_times (zset)  KEYS[2] jobs (hash)  KEYS[3] delayed (zset)  KEYS[4] leases (zset)
-- KEYS[5] paused (string)
-- ARGV[1] how many jobs at most
-- Returns {now, paused, next run time, next delayed, next lease, id, score, header, id, …};
-- a time is '' when there is none, a header is '' when the job is not there.
local T = redis.call('TIME')
local now = T[1] * 1000 + math.floor(T[2] / 1000)
local function at(n) return string.format('%.0f', n) end
local paused = redis.call('EXISTS', KEYS[5])
local function lowest(key)
  local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head[2] and at(tonumber(head[2])) or ''
end
local reply = {at(now), tostring(paused), lowest(KEYS[1]), lowest(KEYS[3]), lowest(KEYS[4])}
if paused == 1 then
  reply[3] = ''
  return reply
end
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at(now), 'WITHSCORES', 'LIMIT', 0, ARGV[1])
if #due == 0 then return reply end
local ids = {}
for i = 1, #due, 2 do ids[#ids + 1] = due[i] end
local values = redis.call('HMGET', KEYS[2], unpack(ids))
for i, id in ipairs(ids) do
  local n = #reply
  reply[n + 1], reply[n + 2] = id, at(tonumber(due[2 * i]))
  reply[n + 3] = values[i] and string.match(values[i], '^[^\n]*\n?') or ''
end
return reply
