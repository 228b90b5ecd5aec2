-- finish_plain: end attempts after which nothing follows and that are not tried again: all, or none.
-- KEYS[3] running (hash)  KEYS[4] leases (zset)  KEYS[5] dead (list)  KEYS[6] waiting (set)
-- KEYS[7] stream (stream)  then slots:<slot> (string) of each of the first runs, those that hold one; then
--   history (list) of each run
-- ARGV[5] how many runs  ARGV[6] their events, one text  then the id of each, then the history row of each
--   after its times, then per group of runs that stand together: owner, how many, 'd' if they failed
-- Returns DONE | OTHER (a run is not its owner's, or was named twice: nothing was done, and finish judges
-- each by itself).
local n = tonumber(ARGV[5])
local holding = #KEYS - 7 - n
local values, counts = redis.call('HMGET', KEYS[3], unpack(ARGV, 7, 6 + n)), {}
if holding > 0 then counts = redis.call('MGET', unpack(KEYS, 8, 7 + holding)) end
local lines = redis.call('SCARD', KEYS[6]) > 0
local seen, dead, nudges = {}, {}, {}
-- Values become the times of their rows. What one start call began has one head.
local i = 0
for at = 7 + 2 * n, #ARGV, 3 do
  local owner, last, head, times = ARGV[at] .. '\t', i + ARGV[at + 1], nil, nil
  while i < last do
    i = i + 1
    local value, id = values[i], ARGV[6 + i]
    if not value or seen[id] then return 'OTHER' end
    if not head or string.find(value, head, 1, true) ~= 1 then
      if string.find(value, owner, 1, true) ~= 1 then return 'OTHER' end
      local started = string.match(value, '^%d+', #owner + 1)
      head, times = owner .. started .. '\t', started .. '\t' .. stamp .. '\t'
    end
    if ARGV[at + 2] == 'd' then dead[#dead + 1] = string.sub(value, string.find(value, '\n', 1, true) + 1) end
    if lines then
      local slot = string.match(value, '^[^\t]*\t%d+\t%d+\t([^\t]*)')
      if redis.call('SISMEMBER', KEYS[6], slot) == 1 then nudges[#nudges + 1] = 'N\t' .. slot end
    end
    seen[id], values[i] = true, times
  end
end
local set, free, left = {}, {}, {}
for k, count in ipairs(counts) do
  local key = KEYS[7 + k]
  if count == '1' then
    free[#free + 1] = key
  else
    left[key] = (left[key] or tonumber(count or '0')) - 1
  end
end
for key, count in pairs(left) do
  if count > 0 then set[#set + 1], set[#set + 2] = key, count else free[#free + 1] = key end
end
redis.call('HDEL', KEYS[3], unpack(ARGV, 7, 6 + n))
redis.call('ZREM', KEYS[4], unpack(ARGV, 7, 6 + n))
if #set > 0 then redis.call('MSET', unpack(set)) end
if #free > 0 then redis.call('DEL', unpack(free)) end
for _, nudge in ipairs(nudges) do redis.call('XADD', KEYS[7], '*', 'm', nudge) end
local most, fresh, names = tonumber(ARGV[1]), {}, {}
for k = 1, n do
  local key = KEYS[7 + holding + k]
  local rows = redis.call('LPUSH', key, values[k] .. ARGV[6 + n + k])
  if rows > most then
    redis.call('LTRIM', key, 0, most - 1)
  elseif rows == 1 then
    fresh[#fresh + 1], names[#names + 1] = key, string.sub(key, #KEYS[1] + 3) -- what follows {…}:history:
  end
end
if #fresh > 0 then
  for k, job in ipairs(redis.call('HMGET', KEYS[2], unpack(names))) do
    if not job and string.sub(names[k], 1, 1) ~= '@' then redis.call('EXPIRE', fresh[k], ARGV[2]) end
  end
end
if #dead > 0 then
  redis.call('LPUSH', KEYS[5], unpack(dead))
  redis.call('LTRIM', KEYS[5], 0, 999)
end
log[1] = ARGV[6]
publish()
return 'DONE'
